//! What is said on X when the program goes live and when it is over, by a stand-in that checks every signature.

use onair::base::clock::Clock;
use serde_json::json;
use sim::twitter::{Keys, Twitter};

use crate::air::{SMALL, red};
use crate::air_nginx::Nginx;
use crate::harness::Server;
use crate::tools::sooner_or_later;

/// The stand-in, which takes `limit` posts until `reset` seconds from now, and the settings that lead to it.
#[expect(clippy::disallowed_methods, reason = "it is the other side, which ends with the test")]
async fn stand_in(limit: u64, reset: i64) -> (Twitter, Vec<(&'static str, String)>) {
    let keys = Keys {
        consumer: "app".into(),
        consumer_secret: "app & secret".replace(' ', ""),
        token: "7-account".into(),
        token_secret: "sesame".into(),
    };
    let clock = Clock::real();
    let now = move || clock.wall().0.as_second();
    let settings = vec![
        ("outputs.twitter.api_key", keys.consumer.clone()),
        ("outputs.twitter.api_secret", keys.consumer_secret.clone()),
        ("outputs.twitter.access_token", keys.token.clone()),
        ("outputs.twitter.access_token_secret", keys.token_secret.clone()),
    ];
    let twitter = Twitter::new(keys, (limit, now() + reset), now);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(twitter.clone().serve(listener));
    let settings = [settings, vec![("outputs.twitter.api_url", format!("http://{address}"))]].concat();
    (twitter, settings)
}

fn all<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let more = settings.iter().map(|(key, value)| (*key, value.as_str()));
    SMALL.iter().copied().chain(more).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_announced_once_and_said_once_that_it_is_over() {
    let nginx = Nginx::start().await;
    let (twitter, settings) = stand_in(10, 900).await;
    // The API fails twice, and is asked again.
    twitter.fail(&[503, 500]);
    let server = Server::start(&all(&settings)).await;
    server.ask(reqwest::Method::POST, "/stream/layers", &red()).await;
    let x = json!({"id": "x", "type": "twitter", "url": nginx.url("live"), "key": "k", "announcement": "We are live",
        "closing": "Thank you"});
    let made = server.output(&x).await;
    assert_eq!((&made["profile"], &made["twitter"]["posted"]), (&json!("twitter"), &json!(0)));
    server.control("start").await;
    server.until_state("x", "live").await;
    sooner_or_later("it is announced", async || twitter.posts() == ["We are live"]).await;
    let shown = twitter.pictures().remove(0).expect("a picture of the program");
    let picture = crate::harness::decoded(&shown);
    assert_eq!((picture.width, picture.height), (640, 360));
    let (width, middle) = (picture.y.width as usize, picture.y.row(180));
    assert!((70..=82).contains(&middle[width / 2]), "red, as the program: {}", middle[width / 2]);
    // A restart in between announces nothing again.
    let server = server.restart(&all(&settings)).await;
    server.until_state("x", "live").await;
    server.on_air_for(10.0).await;
    server.control("stop").await;
    sooner_or_later("it is over", async || twitter.posts() == ["We are live", "Thank you"]).await;
    sooner_or_later("what is left is shown", async || {
        server.get("/stream/outputs/x").await.json()["twitter"]["remaining"] == 8
    })
    .await;
    let shown = server.get("/stream/outputs/x").await;
    assert!(!shown.text().contains("sesame"));
    assert_eq!(twitter.requests(), 4);
    assert_eq!(twitter.pictures()[1], None, "what is over has no picture");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_a_spent_limit_are_shown_and_the_stream_goes_on() {
    let nginx = Nginx::start().await;
    // Nothing is left for longer than anyone waits.
    let (spent, settings) = stand_in(0, 7200).await;
    let server = Server::start(&all(&settings)).await;
    let x = json!({"id": "x", "type": "twitter", "url": nginx.url("live"), "key": "k", "announcement": "We are live"});
    server.output(&x).await;
    server.control("start").await;
    server.until_state("x", "live").await;
    let error = async |server: &Server| {
        let output = server.get("/stream/outputs/x").await.json();
        output["twitter"]["lastError"].as_str().unwrap_or_default().to_owned()
    };
    sooner_or_later("it is told", async || error(&server).await.contains("limit is spent for another")).await;
    assert_eq!((spent.requests(), server.state_of("x").await.as_str()), (1, "live"));
    server.stop().await;

    let (strict, settings) = stand_in(10, 900).await;
    let wrong: Vec<_> = settings
        .into_iter()
        .map(|(key, value)| (key, if key.ends_with("api_secret") { "wrong".to_owned() } else { value }))
        .collect();
    let server = Server::start(&all(&wrong)).await;
    server.output(&x).await;
    server.control("start").await;
    sooner_or_later("it is refused", async || error(&server).await.contains("refuses our keys")).await;
    server.until_state("x", "live").await;
    assert!(strict.posts().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_not_taken_costs_the_post_its_picture_only_and_is_shown() {
    let nginx = Nginx::start().await;
    let (twitter, settings) = stand_in(10, 900).await;
    twitter.fail_uploads(403);
    let server = Server::start(&all(&settings)).await;
    let x = json!({"id": "x", "type": "twitter", "url": nginx.url("live"), "key": "k", "announcement": "We are live"});
    server.output(&x).await;
    server.control("start").await;
    sooner_or_later("it is announced", async || twitter.posts() == ["We are live"]).await;
    assert_eq!(twitter.pictures(), [None]);
    sooner_or_later("it is told", async || {
        let output = server.get("/stream/outputs/x").await.json();
        let told = output["twitter"]["lastError"].as_str().unwrap_or_default().to_owned();
        told.contains("the picture was not taken") && output["state"] == "live"
    })
    .await;
    server.stop().await;
}

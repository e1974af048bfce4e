//! Servers on one Redis: one composes, another takes over when it dies, and one that was taken for dead writes nothing.

use std::time::Duration;

use onair::store::{Change, Claim, Collection, Guard, Holding};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::eventually;
use crate::redis::Redis;
use crate::serve_cli::{Cli, command};
use crate::store::connect;

async fn serve(redis: &Redis, folder: &TempDir) -> Cli {
    let mut command = command(folder.path(), &[]);
    command.env("REDIS_URL", redis.url()).args(["--set", "compositor.resolution=320x180"]);
    Cli::run(command).await
}

async fn role(server: &Cli) -> Value {
    server.get("/stream/status").await["role"].clone()
}

async fn has_program(server: &Cli) -> bool {
    server.try_ask(Method::GET, "/api/streams/program", None).await.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_composes_and_another_takes_over_when_it_dies_or_hangs_or_ends() {
    let redis = Redis::start(None).await;
    let folders = [(); 4].map(|()| TempDir::new().unwrap());
    let first = serve(&redis, &folders[0]).await;
    assert_eq!(role(&first).await, "composing");
    let second = serve(&redis, &folders[1]).await;
    assert_eq!(role(&second).await, "standby");
    let layer =
        json!({"id": "a", "content": {"kind": "shape", "shape": "rectangle", "width": 320, "height": 180}});
    // Whoever stands by serves the API as the other does.
    second.ask(Method::POST, "/stream/layers", Some(layer)).await;
    second.ask(Method::POST, "/stream/control", Some(json!({"action": "start"}))).await;
    eventually("the first composes", async || has_program(&first).await).await;
    assert!(!has_program(&second).await);
    let frame = second.try_ask(Method::GET, "/stream/frame", None).await;
    assert_eq!((frame.status.as_u16(), frame.header("content-type")), (200, "image/png"));

    // One that dies.
    first.program.signal(Signal::KILL);
    first.program.end().await;
    eventually("the second composes", async || role(&second).await == "composing").await;
    eventually("it has the program", async || has_program(&second).await).await;

    // One that hangs, and comes back.
    let third = serve(&redis, &folders[2]).await;
    assert_eq!(role(&third).await, "standby");
    second.program.signal(Signal::STOP);
    eventually("the third composes", async || role(&third).await == "composing").await;
    eventually("it has the program", async || has_program(&third).await).await;
    second.program.signal(Signal::CONT);
    eventually("the second stands by", async || role(&second).await == "standby").await;
    eventually("and has no program", async || !has_program(&second).await).await;
    assert_eq!(role(&third).await, "composing");

    // One that ends.
    third.stop().await;
    eventually("the second composes again", async || role(&second).await == "composing").await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_lost_the_store_stays_on_air() {
    let redis = Redis::start(None).await;
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let first = serve(&redis, &folders[0]).await;
    let second = serve(&redis, &folders[1]).await;
    // What the first says is forgotten, as if it had not been heard for a minute.
    redis.ask(&["HSET", "onair:composer", "at", "1"]).await;
    redis.freeze();
    eventually("the store is away", async || {
        let health = second.get("/health").await;
        health["components"]["store"]["status"] != "ok"
    })
    .await;
    assert_eq!((role(&first).await, role(&second).await), (json!("composing"), json!("standby")));
    redis.thaw();
    eventually("the store is back", async || second.get("/health").await["status"] == "healthy").await;
    assert_eq!((role(&first).await, role(&second).await), (json!("composing"), json!("standby")));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_taken_once_and_who_lost_it_writes_nothing() {
    let redis = Redis::start(None).await;
    let opened = connect(&redis.url(), None).await;
    let store = &opened.store;
    let claim = async |id: &str, over: Option<u64>, silent: Duration| {
        let claim = Claim { id: id.to_owned(), address: format!("{id}:8080"), over, silent };
        store.claim(claim).await.unwrap()
    };
    let write = async |fence: Option<u64>, value: u64| {
        let guard = Guard { collection: Collection::Scene, expected: 0, next: 0, fence };
        let put = Change::Put { collection: Collection::Scene, id: "show".to_owned(), value: value.into() };
        store.write_guarded(guard, vec![put]).await.unwrap()
    };
    const LONG: Duration = Duration::from_secs(3600);
    assert_eq!(claim("a", None, LONG).await, Holding::Own { fence: 1 });
    assert_eq!(claim("a", None, LONG).await, Holding::Own { fence: 1 }, "it is renewed");
    assert!(write(Some(1), 1).await);
    for over in [None, Some(1), Some(7)] {
        let Holding::Other(holder) = claim("b", over, LONG).await else {
            panic!("it was taken from one who lives")
        };
        assert_eq!((&*holder.id, &*holder.address, holder.fence), ("a", "a:8080", 1));
        assert!(holder.silent < LONG);
    }
    redis.ask(&["HSET", "onair:composer", "at", "1"]).await;
    let Holding::Other(holder) = claim("b", Some(7), LONG).await else { panic!("it was another lease") };
    assert!(holder.silent > LONG);
    assert_eq!(claim("b", Some(1), LONG).await, Holding::Own { fence: 2 });
    let Holding::Other(holder) = claim("a", Some(1), LONG).await else { panic!("there are two holders") };
    assert_eq!((&*holder.id, holder.fence), ("b", 2));
    assert!(!write(Some(1), 2).await, "the one that was taken over from");
    assert_eq!(store.read(Collection::Scene).await.unwrap()["show"], 1);
    assert!(write(Some(2), 3).await && write(None, 4).await);
    store.release("a").await.unwrap();
    let Holding::Other(_) = claim("c", None, LONG).await else { panic!("another one gave it back") };
    store.release("b").await.unwrap();
    assert_eq!(claim("c", None, LONG).await, Holding::Own { fence: 3 });
    opened.close().await;
}

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::names::{Names, System};
use super::{Client, ContentRange, Error, Policy, Request, Trust};
use crate::base::clock::Clock;

/// A server that notes each request's head and gives it to `answer`.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<u32>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<u32>>::default());
        let (noted, counted, answer) = (Arc::clone(&heads), Arc::clone(&connections), Arc::new(answer));
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                tokio::spawn(serve(socket, Arc::clone(&noted), Arc::clone(&answer)));
            }
        });
        Self { address, heads, connections }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn connections(&self) -> u32 {
        *self.connections.lock().unwrap()
    }
}

async fn serve(mut socket: TcpStream, heads: Arc<Mutex<Vec<String>>>, answer: Arc<impl Fn(&str) -> String>) {
    let mut pending = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let Ok(read @ 1..) = socket.read(&mut buffer).await else { return };
        pending.extend_from_slice(&buffer[..read]);
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(pending.drain(..end + 4).collect()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |digits| digits.parse().unwrap());
            while pending.len() < length {
                let read = socket.read(&mut buffer).await.unwrap();
                pending.extend_from_slice(&buffer[..read]);
            }
            let body = String::from_utf8(pending.drain(..length).collect()).unwrap();
            let answered = answer(&format!("{head}{body}"));
            heads.lock().unwrap().push(format!("{head}{body}"));
            if socket.write_all(answered.as_bytes()).await.is_err() || answered.contains("connection: close")
            {
                return;
            }
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// A client for which each name has these addresses, in turn; the last for ever.
fn client(policy: Policy, table: &'static [(&'static str, &'static [&'static str])]) -> Client {
    let names = move |host: &str| {
        let found = table.iter().find(|(name, _)| *name == host);
        found.map_or(Vec::new(), |(_, all)| all.iter().map(|ip| ip.parse::<IpAddr>().unwrap()).collect())
    };
    Client::with_names(policy, Names::new(Clock::real(), System::Table(Box::new(names))))
}

fn open() -> Policy {
    Policy { allow_private: true, ..Policy::default() }
}

async fn fetch(client: &Client, url: &Url, trust: Trust) -> Result<Bytes, Error> {
    client.get(Request::new(url, trust, 1000)).await?.ok()?.whole().await
}

#[tokio::test]
async fn who_wrote_an_address_decides_what_it_may_reach() {
    let server = Server::start(|_| ok("hello")).await;
    let port = server.address.port();
    let names: &[(&str, &[&str])] = &[
        ("inside.test", &["127.0.0.1"]),
        ("listed.test", &["127.0.0.1"]),
        ("mixed.test", &["10.0.0.1", "127.0.0.1"]),
    ];
    let policy = Policy { allow_private: false, allow: vec!["listed.test".parse().unwrap()] };
    let client = client(policy, names);
    for (host, from_operator, from_outside) in [
        ("127.0.0.1", true, false),
        ("127.1", true, false),
        ("0x7f000001", true, false),
        ("[::ffff:127.0.0.1]", true, false),
        ("inside.test", true, false),
        ("listed.test", true, true),
    ] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        for (trust, works) in [(Trust::Operator, from_operator), (Trust::Outside, from_outside)] {
            let got = fetch(&client, &url, trust).await;
            match got {
                Ok(body) => assert!(works && body == "hello", "{host} {trust:?}"),
                Err(Error::Refused { .. }) => assert!(!works, "{host} {trust:?}"),
                Err(other) => panic!("{host} {trust:?}: {other}"),
            }
        }
    }
    assert!(client.resolve("mixed.test", Trust::Outside).await.is_err());
    let unknown: Url = "http://unknown.test/".parse().unwrap();
    let error = fetch(&client, &unknown, Trust::Operator).await.unwrap_err();
    assert_eq!(error, Error::Dns { host: "unknown.test".to_owned() });
}

#[tokio::test]
async fn a_policy_that_is_changed_holds_for_connections_that_are_open() {
    let server = Server::start(|_| ok("hello")).await;
    let client = client(open(), &[]);
    assert!(fetch(&client, &server.url("/"), Trust::Outside).await.is_ok());
    client.apply(Policy::default());
    assert!(matches!(fetch(&client, &server.url("/"), Trust::Outside).await, Err(Error::Refused { .. })));
    assert!(fetch(&client, &server.url("/"), Trust::Operator).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_checked_like_any_address_of_a_stranger() {
    let inside = Server::start(|_| ok("secret")).await;
    let port = inside.address.port();
    let server = Server::start(move |head| match head.split(' ').nth(1).unwrap() {
        "/here" => ok("hello"),
        "/same" => to("/here"),
        "/inside" => to(&format!("http://127.0.0.1:{port}/")),
        "/file" => to("file:///etc/passwd"),
        _ => to("/round"),
    })
    .await;
    let refused = client(Policy::default(), &[]);
    let allowed = client(open(), &[]);
    let get = |client: &Client, path: &str| {
        let (client, url) = (client.clone(), server.url(path));
        async move { fetch(&client, &url, Trust::Operator).await }
    };
    assert_eq!(get(&refused, "/same").await.unwrap(), "hello");
    assert!(matches!(get(&refused, "/inside").await, Err(Error::Refused { .. })));
    assert_eq!(inside.heads().len(), 0);
    assert_eq!(get(&allowed, "/inside").await.unwrap(), "secret");
    assert!(matches!(get(&allowed, "/file").await, Err(Error::BadUrl(_))));
    assert!(matches!(get(&allowed, "/round").await, Err(Error::BadUrl(_))));
}

#[tokio::test]
async fn bodies_are_bounded_and_ranges_told() {
    let server = Server::start(|head| match head.split(' ').nth(1).unwrap() {
        "/long" => ok(&"x".repeat(2000)),
        "/chunked" => {
            let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n")
        }
        "/missing" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nhell".to_owned(),
        "/noise" => "what?\r\n\r\nconnection: close".to_owned(),
        _ => "HTTP/1.1 206 Partial\r\ncontent-range: bytes 2-4/9\r\ncontent-length: 3\r\n\r\nllo".to_owned(),
    })
    .await;
    let client = client(open(), &[]);
    let too_large = Error::TooLarge { most: 1000 };
    for (path, error) in
        [("/long", too_large.clone()), ("/chunked", too_large), ("/missing", Error::Status(404))]
    {
        let got = fetch(&client, &server.url(path), Trust::Operator).await;
        assert_eq!(got, Err(error), "{path}");
    }
    for path in ["/cut", "/noise"] {
        let got = fetch(&client, &server.url(path), Trust::Operator).await;
        assert!(matches!(got, Err(Error::Closed { .. })), "{path}: {got:?}");
    }
    let url = server.url("/part?token=hidden#fragment");
    let request = Request { range: Some(2..5), ..Request::new(&url, Trust::Operator, 1000) };
    let body = client.get(request).await.unwrap().ok().unwrap();
    assert_eq!(body.content_range, Some(ContentRange { start: 2, end: 5, total: Some(9) }));
    assert_eq!(body.whole().await.unwrap(), "llo");
    let head = server.heads().pop().unwrap();
    assert!(head.starts_with("GET /part?token=hidden HTTP/1.1\r\n") && head.contains("range: bytes=2-4\r\n"));
}

#[tokio::test]
async fn connections_are_kept_and_bytes_counted() {
    let server = Server::start(|_| ok("hello")).await;
    let client = client(open(), &[]);
    for _ in 0..5 {
        assert_eq!(fetch(&client, &server.url("/"), Trust::Operator).await.unwrap(), "hello");
    }
    assert_eq!(server.connections(), 1);
    let answered = ok("hello").len() * 5;
    let asked: usize = server.heads().iter().map(String::len).sum();
    let traffic = client.traffic();
    assert_eq!((traffic.received.get(), traffic.sent.get()), (answered as u64, asked as u64));
}

#[tokio::test]
async fn credentials_go_to_the_server_the_operator_named_and_into_no_error() {
    let server = Server::start(|head| match head.split(' ').nth(1).unwrap() {
        "/away" => to("http://user:password@127.0.0.1:9/"),
        _ => ok("hello"),
    })
    .await;
    let client = client(open(), &[]);
    let with =
        |path: &str| -> Url { format!("http://user:password@{}{path}", server.address).parse().unwrap() };
    fetch(&client, &with("/"), Trust::Operator).await.unwrap();
    let head = server.heads().pop().unwrap();
    assert!(head.contains("authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"), "{head}");
    assert!(matches!(fetch(&client, &with("/"), Trust::Outside).await, Err(Error::BadUrl(_))));
    assert!(matches!(fetch(&client, &with("/away"), Trust::Operator).await, Err(Error::BadUrl(_))));
    let closed: Url = "http://user:password@127.0.0.1:1/path?token=hidden".parse().unwrap();
    let error = fetch(&client, &closed, Trust::Operator).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(!told.contains("password") && !told.contains("hidden") && !told.contains("path"), "{told}");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn json_is_posted_and_other_schemes_are_not_fetched() {
    let server = Server::start(|_| ok("{}")).await;
    let client = client(open(), &[]);
    let url = server.url("/gql");
    let headers = [("client-id", "abc")];
    let request = Request { headers: &headers, ..Request::new(&url, Trust::Operator, 10) };
    client.post_json(request, Bytes::from_static(b"{\"a\":1}")).await.unwrap().ok().unwrap();
    let asked = server.heads().pop().unwrap();
    assert!(asked.starts_with("POST /gql ") && asked.ends_with("\r\n\r\n{\"a\":1}"), "{asked}");
    assert!(asked.contains("content-type: application/json\r\n") && asked.contains("client-id: abc\r\n"));
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "data:,x"] {
        let got = fetch(&client, &url.parse().unwrap(), Trust::Operator).await;
        assert!(matches!(got, Err(Error::BadUrl(_))), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = client(open(), &[]);
    let began = tokio::time::Instant::now();
    let got = fetch(&client, &url, Trust::Operator).await;
    assert_eq!(got, Err(Error::Timeout { host: "127.0.0.1".to_owned() }));
    assert!(began.elapsed() <= Duration::from_secs(11), "of the paused clock");
}

//! Chromium, driven over its DevTools protocol: what a person sees in a browser.
//!
//! Each picture looked at is kept in `target/screenshots/`, for people to look at too.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::fault::Fault;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::follow::{OFTEN, Twitch};
use crate::harness::{Server, client, number};
use crate::tools::{
    pictures_of, probe, push_paced, recording, repository, sidecar, sooner_or_later, tool, while_pushing,
};

/// A browser with one page; killed when dropped.
struct Browser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    last_id: u64,
    /// What it told without being asked.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// With a profile of its own, in which nothing is stored; `localhost:5000` leads to `server`.
    async fn start(server: &Server) -> Self {
        let profile = TempDir::new().unwrap();
        let mut command = Command::new(tool("chromium"));
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args([
            "--mute-audio",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            "--window-size=1280,900",
        ]);
        // A test has no finger to start a video with.
        command.arg("--autoplay-policy=no-user-gesture-required");
        command.arg(format!("--host-resolver-rules=MAP localhost:5000 {}", server.address()));
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("chromium runs; if not: run ./dev setup");
        let port_file = profile.path().join("DevToolsActivePort");
        let mut address = String::new();
        sooner_or_later("Chromium listens", async || {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) else {
                return false;
            };
            address = format!("ws://127.0.0.1:{port}{path}");
            true
        })
        .await;
        let (socket, _) = tokio_tungstenite::connect_async(&address).await.unwrap();
        let mut browser =
            Self { child, socket, session: None, last_id: 0, events: Vec::new(), _profile: profile };
        let target =
            browser.call("Target.createTarget", json!({ "url": "about:blank" })).await["targetId"].take();
        let session =
            browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Asks and waits for the answer.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let Message::Text(text) = self.socket.next().await.expect("Chromium lives").unwrap() else {
                continue;
            };
            let mut told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == self.last_id {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].take();
            }
            self.events.push(told);
        }
    }

    async fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// What the expression, or its promise, comes to.
    async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut done = self.call("Runtime.evaluate", params).await;
        assert!(done["exceptionDetails"].is_null(), "{expression}: {}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }

    async fn until(&mut self, expression: &str) {
        sooner_or_later(expression, async || self.eval(expression).await == true).await;
    }

    /// What is seen of the element, or of the whole window, kept under that name.
    async fn screenshot(&mut self, name: &str, element: Option<&str>) -> Bytes {
        // What has changed is painted with the next frame.
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
            .await;
        let mut params = json!({ "format": "jpeg", "quality": 92 });
        if let Some(element) = element {
            let place = format!(
                "(() => {{ const {{ x, y, width, height }} = document.querySelector('{element}').getBoundingClientRect(); \
                 return {{ x, y, width, height, scale: 1 }}; }})()"
            );
            params["clip"] = self.eval(&place).await;
        }
        let picture = self.call("Page.captureScreenshot", params).await;
        let jpeg = base64(picture["data"].as_str().unwrap());
        let folder = repository().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.jpg")), &jpeg).unwrap();
        jpeg
    }

    fn told(&self, method: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["method"] == method).map(|event| &event["params"])
    }

    /// Errors and warnings of pages so far.
    fn complaints(&self) -> Vec<&Value> {
        let serious = |level: &Value| level == "error" || level == "warning";
        let logged = self.told("Log.entryAdded").filter(|entry| serious(&entry["entry"]["level"]));
        let said = self.told("Runtime.consoleAPICalled").filter(|call| serious(&call["type"]));
        self.told("Runtime.exceptionThrown").chain(logged).chain(said).collect()
    }

    /// The hosts that anything was asked of so far.
    fn hosts(&self) -> Vec<String> {
        let requests = self.told("Network.requestWillBeSent").map(|event| &event["request"]["url"]);
        let sockets = self.told("Network.webSocketCreated").map(|event| &event["url"]);
        let host = |url: &Value| url.as_str()?.split_once("://")?.1.split('/').next().map(str::to_owned);
        let mut hosts: Vec<String> = requests.chain(sockets).filter_map(host).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What base64 text stands for (RFC 4648).
fn base64(text: &str) -> Bytes {
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is not base64"),
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(sextet).collect();
    let bytes = digits.chunks(4).flat_map(|chunk| {
        let bits =
            chunk.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - chunk.len()));
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(chunk.len() * 6 / 8)
    });
    bytes.collect()
}

/// A picture that a page's script took, as the number in it.
fn number_in(data_url: &Value) -> Option<u32> {
    number(&base64(data_url.as_str()?.split_once("base64,")?.1))
}

/// The number in what a canvas or a video shows.
const NUMBER: &str = "(element) => { const canvas = document.createElement('canvas'); \
    [canvas.width, canvas.height] = [320, 240]; canvas.getContext('2d').drawImage(element, 0, 0, 320, 240); \
    return canvas.toDataURL('image/jpeg', 0.95); }";

async fn server() -> Server {
    Server::start(&[("recording.enabled", "true")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_readmes_page_shows_a_picture_that_moves() {
    let server = server().await;
    let page: PathBuf = repository().join("tests/it/samples/page.html");
    while_pushing(&server, "webcam", 15.0, async {
        let mut browser = Browser::start(&server).await;
        browser.open(&format!("file://{}", page.display())).await;
        browser.until("document.querySelector('img')?.naturalWidth === 320").await;
        let first = number(&browser.screenshot("page-1", Some("img")).await).expect("a number");
        let mut last = first;
        sooner_or_later("the picture moves", async || {
            let now = number(&browser.screenshot("page-2", Some("img")).await);
            last = last.max(now.unwrap_or(last));
            last > first
        })
        .await;
        assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wall_shows_every_stream_live_and_asks_nobody_else() {
    let server = server().await;
    let watching = async {
        let mut browser = Browser::start(&server).await;
        browser.open(&server.url("/")).await;
        browser.until("document.querySelectorAll('#tiles li').length === 2").await;
        let names =
            "[...document.querySelectorAll('#tiles [data-f=name]')].map((name) => name.textContent).sort()";
        assert_eq!(browser.eval(names).await, json!(["left", "right"]));
        browser.until("document.getElementById('streams')?.textContent === '2'").await;
        for tile in [0, 1] {
            let look = format!("({NUMBER})(document.querySelectorAll('#tiles canvas')[{tile}])");
            let mut seen = Vec::new();
            sooner_or_later("the tile shows a picture that moves", async || {
                seen.extend(number_in(&browser.eval(&look).await));
                seen.dedup();
                seen.len() >= 3
            })
            .await;
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
        }
        browser.screenshot("wall", None).await;
        assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
        assert_eq!(browser.hosts(), [server.address().to_string()]);
    };
    let both = while_pushing(&server, "left", 10.0, while_pushing(&server, "right", 10.0, watching));
    Box::pin(both).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_plays_in_the_page_as_long_as_it_is_and_seeks_to_the_frame() {
    let server = server().await;
    push_paced(&client(), &server.url("/publish/cam"), &pictures_of(40), 15.0).await;
    server.delete("/api/streams/cam").await.json();
    let file = recording(&server.folder().join("recordings"), "cam");
    let (told, sidecar) = (probe(&file).await, sidecar(&file));
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/#/recordings")).await;
    browser.until("document.querySelectorAll('#rows tr').length === 1").await;
    browser.screenshot("recordings", None).await;
    browser.eval("document.querySelector('#rows [data-do=play]').click()").await;
    browser.until("document.querySelector('#player video')?.readyState >= 2").await;
    let duration = browser.eval("document.querySelector('#player video').duration").await.as_f64().unwrap();
    assert!((duration - sidecar["duration_seconds"].as_f64().unwrap()).abs() < 0.05, "{duration} {sidecar}");
    browser.until("document.querySelector('#player video').ended").await;
    // `seeked` may come before the picture is there to be drawn; only this says which one is, and when.
    let watch = format!(
        "(() => {{ const video = document.querySelector('#player video'); window.seen = {{ time: -1 }}; \
         const look = (_, {{ mediaTime: time }}) => {{ window.seen = {{ time, picture: ({NUMBER})(video) }}; \
         video.requestVideoFrameCallback(look); }}; video.requestVideoFrameCallback(look); }})()"
    );
    browser.eval(&watch).await;
    for frame in [30, 3, 17, 39, 0] {
        let from = told.times[frame];
        let until = told.times.get(frame + 1).copied().unwrap_or(told.duration);
        let middle = f64::midpoint(from, until);
        browser.eval(&format!("document.querySelector('#player video').currentTime = {middle}")).await;
        let early = (until - from) / 2.0;
        browser.until(&format!("seen.time > {from} - {early} && seen.time < {middle}")).await;
        let seen = number_in(&browser.eval("seen.picture").await);
        assert_eq!(seen.map(|seen| seen as usize), Some(frame), "at {middle}");
    }
    browser.screenshot("player", None).await;
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    assert_eq!(browser.hosts(), [server.address().to_string()]);
    drop(browser);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_in_a_browser_are_those_that_were_pushed() {
    const COLOURS: [(&str, [u8; 3]); 4] =
        [("red", [255, 0, 0]), ("green", [0, 255, 0]), ("blue", [0, 0, 255]), ("white", [255; 3])];
    let server = server().await;
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/api/docs")).await;
    for (stream, rgb) in COLOURS {
        for _ in 0..3 {
            server.publish(stream, crate::record::solid(rgb)).await.json();
        }
        server.delete(&format!("/api/streams/{stream}")).await.json();
        let file = recording(&server.folder().join("recordings"), stream);
        let url = format!("/api/recordings/{stream}/{}", file.file_name().unwrap().to_str().unwrap());
        // None of the colours is black, which is what a canvas shows until the video has its first picture ready.
        let look = format!(
            "new Promise((done, failed) => {{ const video = document.createElement('video'); \
             video.onerror = () => failed(video.error.message); \
             video.onloadeddata = () => {{ video.currentTime = video.duration / 2; }}; \
             const canvas = document.createElement('canvas'); [canvas.width, canvas.height] = [320, 240]; \
             const context = canvas.getContext('2d'); \
             const draw = () => {{ context.drawImage(video, 0, 0); \
             const seen = [...context.getImageData(160, 120, 1, 1).data.slice(0, 3)]; \
             if (seen.some((value) => value > 0)) done(seen); else requestAnimationFrame(draw); }}; \
             video.onseeked = draw; video.src = '{url}'; }})"
        );
        let seen = browser.eval(&look).await;
        let close =
            (0..3).all(|channel| (seen[channel].as_i64().unwrap() - i64::from(rgb[channel])).abs() <= 6);
        assert!(close, "{stream} is {seen}");
    }
    drop(browser);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_page_shows_every_route() {
    let server = server().await;
    let document = server.get("/api/openapi.json").await.json();
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/api/docs")).await;
    browser.until("document.getElementById('routes')?.children.length > 0").await;
    let text = browser.eval("document.getElementById('routes').textContent").await;
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(text.as_str().unwrap().contains(path.as_str()), "{path} is not shown");
    }
    browser.screenshot("docs", None).await;
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    assert_eq!(browser.hosts(), [server.address().to_string()]);
    drop(browser);
    server.stop().await;
}

/// What a page's element says, one text an element.
fn texts(selector: &str) -> String {
    format!("[...document.querySelectorAll('{selector}')].map((one) => one.textContent)")
}

/// Writes into a field, as typing does.
fn write(selector: &str, text: &str) -> String {
    format!("document.querySelector('{selector}').value = {}", json!(text))
}

impl Browser {
    async fn click(&mut self, selector: &str) {
        self.eval(&format!("document.querySelector('{selector}').click()")).await;
    }

    async fn look_like(&mut self, scheme: &str, width: u32) {
        let phone = width < 600;
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features).await;
    }

    /// Pictures of the page in both colour schemes, wide and as a phone shows it, where nothing may stick out.
    async fn in_every_light(&mut self, name: &str) {
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("dark", 390), ("light", 390)] {
            self.look_like(scheme, width).await;
            self.until(&format!("document.documentElement.scrollWidth <= {width}")).await;
            // Buttons change their colour within a moment.
            self.until("document.getAnimations().every((one) => one.constructor.name !== 'CSSTransition')")
                .await;
            self.screenshot(&format!("{name}-{scheme}-{width}"), None).await;
        }
        self.look_like("light", 1280).await;
    }

    /// As [`Self::complaints`], but for requests that the server was meant to refuse.
    fn surprises(&self) -> Vec<&Value> {
        self.complaints().into_iter().filter(|told| told["entry"]["source"] != "network").collect()
    }
}

/// The number in the first tile's picture, as it was drawn.
const TILE: &str = "document.querySelector('#tiles canvas').toDataURL('image/jpeg', 0.95)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_added_in_the_page_is_shown_with_its_troubles_and_forgotten() {
    let twitch = Twitch::start(2).await;
    let server = twitch.server(&[OFTEN]).await;
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/")).await;
    browser.until("document.getElementById('add-title')?.textContent === 'Nothing on air yet'").await;
    browser.eval(&write("#follow [name=source]", "not a channel")).await;
    browser.eval(&write("#follow [name=interval]", "often")).await;
    browser.click("#follow .primary").await;
    browser.until("document.querySelector('[data-e=interval]').textContent !== ''").await;
    browser.eval(&write("#follow [name=interval]", "0.01")).await;
    browser.click("#follow .primary").await;
    browser
        .until("document.querySelector('[data-e=\"username url\"]').textContent.includes('1 to 25')")
        .await;
    let said = browser.eval(&texts("#follow em:not(:empty)")).await;
    assert_eq!(said.as_array().unwrap().len(), 2, "{said}");
    browser.in_every_light("add").await;

    browser.eval(&write("#follow [name=source]", "Sim_0001")).await;
    browser.eval(&write("#follow [name=interval]", "")).await;
    browser.eval(&write("#follow [name=priority]", "3")).await;
    browser.click("#follow .primary").await;
    browser.until("document.querySelector('#followed a').textContent === 'sim_0001'").await;
    assert_eq!(server.stream("sim_0001").await["priority"], 3);
    browser.eval("location.hash = '#/'").await;
    browser.until("document.querySelector('#tiles .tile')?.dataset.state === 'online'").await;
    let mut seen = Vec::new();
    sooner_or_later("the tile shows a picture that changes", async || {
        seen.extend(number_in(&browser.eval(TILE).await));
        seen.dedup();
        seen.len() >= 2
    })
    .await;
    assert_eq!(
        browser.eval("document.querySelectorAll('#tiles img').length").await,
        0,
        "a connection is held"
    );
    browser.until("document.querySelector('#tiles [data-f=rate]').textContent === 'every 0.2 s'").await;
    assert_eq!(browser.eval("document.querySelector('#tiles [data-do=record]').hidden").await, true);

    twitch.world.fault("sim_0001", Fault::SegmentHtml {}, None).unwrap();
    browser.until("document.querySelector('#tiles [data-f=reason]').textContent.includes('HTML')").await;
    assert_eq!(browser.eval("document.querySelector('#tiles .tile').dataset.state").await, "error");
    browser.in_every_light("wall-error").await;
    twitch.world.clear("sim_0001").unwrap();
    browser.until("document.querySelector('#tiles .tile').dataset.state === 'online'").await;
    browser.until("document.querySelector('#tiles [data-f=reason]').hidden").await;

    browser.click("#tiles [data-f=name]").await;
    browser
        .until("[...document.querySelectorAll('#strip img')].filter((img) => img.naturalWidth).length > 1")
        .await;
    browser.until("document.getElementById('importance').querySelector('select').value === '3'").await;
    browser.in_every_light("followed").await;
    browser.click("#strip li:first-child button").await;
    browser.until("document.querySelector('#shot[open] img')?.naturalWidth === 284").await;
    browser.screenshot("followed-large", None).await;
    browser.click("#shot form button").await;
    let choose = "(() => { const select = document.querySelector('#importance select'); select.value = '1'; \
                  select.dispatchEvent(new Event('change', { bubbles: true })); })()";
    browser.eval(choose).await;
    sooner_or_later("it is most important", async || server.stream("sim_0001").await["priority"] == 1).await;

    browser.click("#stream [data-do=delete]").await;
    browser.until("document.getElementById('confirm').open").await;
    let warning = browser.eval("document.getElementById('confirm-text').textContent").await;
    assert_eq!(warning, "It is followed no longer; its captured pictures are deleted.");
    browser.click("#confirm .danger").await;
    sooner_or_later("it is gone", async || server.stream("sim_0001").await == Value::Null).await;
    browser.until("document.getElementById('add-title').textContent === 'Nothing on air yet'").await;
    browser.until("!document.getElementById('add').hidden").await;
    assert!(browser.surprises().is_empty(), "{:?}", browser.surprises());
    assert_eq!(browser.hosts(), [server.address().to_string()]);
    drop(browser);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_added_in_the_page_and_refused_lines_stay_to_be_mended() {
    let twitch = Twitch::start(2).await;
    let server = twitch.server(&[OFTEN]).await;
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/#/add")).await;
    browser.until("document.querySelectorAll('#importance option').length === 10").await;
    let lines =
        "sim_0001\n\n# ours\nno-login!\nsim_0002 second  # another name\na b c\nstatus\nhttps://h/x.m3u8\n";
    browser.eval(&write("#lines textarea", lines)).await;
    browser.click("#lines .primary").await;
    browser.until("document.getElementById('lines-done').textContent !== ''").await;
    let done = browser.eval("document.getElementById('lines-done').textContent").await;
    assert_eq!(done, "2 streams added, 4 lines refused, left above to be mended.");
    let refused = json!(["no-login!", "a b c", "status", "https://h/x.m3u8"]);
    assert_eq!(browser.eval(&texts("#refused code")).await, refused);
    let left = browser.eval("document.querySelector('#lines textarea').value.split('\\n')").await;
    assert_eq!(left, refused);
    let reasons = browser.eval(&texts("#refused span")).await;
    for (reason, part) in
        reasons.as_array().unwrap().iter().zip(["Twitch channel", "more than", "reserved", "needs a name"])
    {
        assert!(reason.as_str().unwrap().contains(part), "{reason} does not say {part}");
    }
    browser.screenshot("add-many", None).await;
    for name in ["sim_0001", "second"] {
        server.in_state(name, "online").await;
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    drop(browser);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_cost_the_page_what_is_on_screen() {
    let twitch = Twitch::start(1).await;
    let server = twitch.server(&[("capture.max_streams", "1000"), ("capture.max_concurrent", "1")]).await;
    let names: Vec<_> = (0..999).map(|n| format!("channel_{n:03}")).collect();
    server.post_json("/api/streams/bulk", &json!({ "streams": names })).await.json();
    server.post_json("/api/streams", &json!({ "username": "sim_0001", "priority": 1 })).await.json();
    server.in_state("sim_0001", "online").await;
    let mut browser = Browser::start(&server).await;
    browser.open(&server.url("/")).await;
    browser.until("document.querySelector('#states [data-is=online] b')?.textContent === '1'").await;
    let all = "document.querySelector('#states .chip b').textContent";
    assert_eq!(browser.eval(all).await, "1,000");
    browser.until("document.querySelectorAll('#tiles li').length > 6").await;
    browser.eval("scrollTo(0, 1e9)").await;
    let last = "[...document.querySelectorAll('#tiles [data-f=name]')].at(-1)";
    browser.until(&format!("{last}.textContent === 'sim_0001'")).await;
    let bottom = format!("{last}.getBoundingClientRect().bottom");
    browser.until(&format!("scrollTo(0, 1e9), {bottom} > 0 && {bottom} < innerHeight")).await;
    browser.until("[...document.querySelectorAll('#tiles canvas')].at(-1).width > 0").await;
    browser.screenshot("wall-thousand-end", None).await;
    let tiles = browser.eval("document.querySelectorAll('#tiles li').length").await.as_u64().unwrap();
    assert!(tiles <= 60, "{tiles} tiles");
    // Each answer, however many streams there are, is about those on screen.
    let largest = "Math.max(...performance.getEntriesByType('resource').filter((one) => \
                   one.name.includes('/api/streams?')).map((one) => one.decodedBodySize))";
    let largest = browser.eval(largest).await.as_u64().unwrap();
    assert!((1..80_000).contains(&largest), "{largest} bytes");

    browser.click("#states [data-is=online]").await;
    browser.until(&format!("{}.join() === 'sim_0001'", texts("#tiles [data-f=name]"))).await;
    browser.screenshot("wall-thousand-online", None).await;
    browser.click("#states .chip").await;
    browser.eval(&write("#search", "channel_42")).await;
    browser.eval("document.getElementById('search').oninput()").await;
    browser.until("document.querySelectorAll('#tiles li').length === 10").await;
    browser.until(&format!("{all} === '10'")).await;
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    drop(browser);
    server.stop().await;
}

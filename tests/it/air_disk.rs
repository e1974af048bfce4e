//! A file output whose disk is full says so, writes again when there is room, and leaves the other outputs alone.

use serde_json::{Value, json};
use sim::sink::Settings;

use crate::air::SMALL;
use crate::air_sink::sink;
use crate::air_ways::ask;
use crate::harness::answer;
use crate::record::Full;
use crate::tools::{Served, sooner_or_later};

async fn shown(served: &Served, id: &str) -> Value {
    answer(served.client.get(served.url(&format!("/stream/outputs/{id}")))).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_one_output_with_its_reason_which_comes_back_and_the_other_has_no_gap() {
    for (full, confined) in Full::here() {
        let (steady, url) = sink(Settings::default()).await;
        let mut settings: Vec<String> = SMALL.iter().map(|(key, value)| format!("{key}={value}")).collect();
        settings.push("outputs.bitrate=8000".to_owned());
        let settings: Vec<&str> = settings.iter().flat_map(|set| ["--set", set]).collect();
        let served = Served::start(confined, &settings).await;
        // Text everywhere, another one in each frame: the bitrate is used.
        for number in 0..40_u32 {
            let (x, y) = (number % 8 * 80, number / 8 * 72);
            let text = json!({"content": {"kind": "text", "text": "{{ program.frame }} {{ program.time }}",
                "style": {"fontSize": 40 + number % 7}}, "transform": {"position": {"x": x, "y": y}}});
            ask(&served, "/stream/layers", &text).await;
        }
        ask(&served, "/stream/outputs", &json!({"id": "steady", "url": url, "key": "one"})).await;
        ask(&served, "/stream/outputs", &json!({"id": "near", "type": "file", "name": "program"})).await;
        ask(&served, "/stream/control", &json!({"action": "start"})).await;
        let mut lost = Value::Null;
        sooner_or_later("the file can't be written", async || {
            lost = shown(&served, "near").await;
            lost["state"] == "reconnecting"
        })
        .await;
        let why = lost["lastError"].as_str().unwrap();
        let named = if full == Full::Disk { "No space" } else { "too large" };
        assert!(why.contains("can't be written") && why.contains(named), "{full:?}: {why}");
        assert_eq!(shown(&served, "steady").await["state"], "live", "{full:?}");
        if full == Full::Disk {
            let list = answer(served.client.get(served.url("/api/recordings?stream=program"))).await.json();
            let first = &list["recordings"][0];
            assert_eq!(
                list["recordings"].as_array().unwrap().len(),
                1,
                "nothing is left of vain tries: {list}"
            );
            let size = first["size_bytes"].as_u64().unwrap();
            assert!((Full::BYTES / 2..=Full::BYTES).contains(&size), "{first}");
            // Room is made as a user would make it.
            let url = served.url(first["url"].as_str().unwrap());
            answer(served.client.delete(url)).await.json();
        }
        sooner_or_later("it is written again", async || shown(&served, "near").await["state"] == "live")
            .await;
        ask(&served, "/stream/control", &json!({"action": "stop"})).await;
        sooner_or_later("it is over", async || shown(&served, "steady").await["state"] == "idle").await;
        steady.with(|all| {
            assert_eq!(all.len(), 1, "{full:?}: it was connected once");
            assert_eq!(all[0].gaps(35), Vec::<[u32; 2]>::new(), "{full:?}");
            assert!(all[0].pictures.len() >= 60, "{full:?}: {}", all[0].pictures.len());
        });
    }
}

//! Tokens, master and media playlists, controls.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Outcome, START, Served, addresses, question};

#[test]
fn a_token_leads_to_the_master_playlist_and_that_to_live_segments() -> Outcome {
    let served = Served::small()?;
    let (token, master) = served.master("sim_0001")?;
    assert_eq!(token["signature"].as_str().map(str::len), Some(40));
    assert_eq!(master.status, 200);
    let text = master.text();
    assert!(text.starts_with("#EXTM3U\n#EXT-X-TWITCH-INFO:"), "{text}");
    assert!(text.contains("RESOLUTION=284x160") && text.contains("STABLE-VARIANT-ID=\"160p30\""), "{text}");
    let renditions = addresses(&text);
    assert_eq!(renditions.len(), 2);
    for rendition in renditions {
        let playlist = served.get(&rendition)?;
        let text = playlist.text();
        let segments = addresses(&text);
        assert_eq!(segments.len(), 15, "{text}");
        for (tag, times) in [
            ("#EXT-X-PROGRAM-DATE-TIME:", 15),
            ("#EXTINF:2.000,live", 15),
            ("#EXT-X-TWITCH-PREFETCH:", 2),
            ("#EXT-X-MEDIA-SEQUENCE:", 1),
            ("#EXT-X-TWITCH-LIVE-SEQUENCE:", 1),
            ("#EXT-X-TWITCH-ELAPSED-SECS:", 1),
            ("#EXT-X-TWITCH-TOTAL-SECS:", 1),
            ("#EXT-X-DISCONTINUITY", 0),
        ] {
            assert_eq!(text.matches(tag).count(), times, "{tag}");
        }
        let segment = served.get(segments.last().ok_or("no segment")?)?;
        assert_eq!((segment.status, segment.body.len() % 188, segment.body[0]), (200, 0, 0x47));
    }
    Ok(())
}

#[test]
fn both_forms_of_the_master_playlist_name_all_qualities() -> Outcome {
    let served = Served::with(|settings| settings.ladder = sim::ladder::twitch())?;
    let (token, second) = served.master("sim_0001")?;
    let encoded: String =
        form_urlencoded::byte_serialize(token["value"].as_str().unwrap_or_default().as_bytes()).collect();
    let signature = token["signature"].as_str().unwrap_or_default();
    let first = served.get(&format!("/api/channel/hls/sim_0001.m3u8?sig={signature}&token={encoded}"))?;
    for (answer, mark) in [(&first, "VIDEO=\"chunked\""), (&second, "IVS-VARIANT-SOURCE=\"source\"")] {
        let text = answer.text();
        assert!(text.contains(mark), "{text}");
        assert_eq!(addresses(&text).len(), 8);
        for size in ["1920x1080", "1280x720", "852x480", "640x360", "284x160"] {
            assert!(text.contains(&format!("RESOLUTION={size}")), "{text}");
        }
    }
    Ok(())
}

#[test]
fn questions_the_token_endpoint_does_not_take_are_answered_as_twitch_does() -> Outcome {
    let served = Served::small()?;
    let ask = |body: &str, headers: &[(&str, &str)]| served.ask("POST", "/gql", headers, body.as_bytes());
    let with_id = [("Client-ID", "x")];
    let mut wrong_hash = question("sim_0001");
    wrong_hash["extensions"]["persistedQuery"]["sha256Hash"] = json!("00");
    let full = json!({ "query": "query { streamPlaybackAccessToken(channelName: $login) { value signature } }",
        "variables": { "login": "sim_0001" } });
    for (body, headers, status, expected) in [
        (question("sim_0001").to_string(), &[][..], 400, "Client-ID"),
        ("no".to_owned(), &with_id, 400, "not JSON"),
        (wrong_hash.to_string(), &with_id, 200, "PersistedQueryNotFound"),
        (question("nobody").to_string(), &with_id, 200, "\"streamPlaybackAccessToken\":null"),
        (full.to_string(), &with_id, 200, "signature"),
        (json!([question("sim_0001")]).to_string(), &with_id, 200, "[{"),
        ("{}".to_owned(), &with_id, 200, "no query"),
    ] {
        let answer = ask(&body, headers)?;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.text().contains(expected), "{body}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn a_token_that_is_missing_changed_or_old_is_refused() -> Outcome {
    let served = Served::small()?;
    let (_, master) = served.master("sim_0001")?;
    let playlist = addresses(&master.text()).remove(0);
    assert_eq!(served.get("/api/channel/hls/sim_0001.m3u8")?.status, 403);
    assert_eq!(served.get("/api/channel/hls/nobody.m3u8")?.status, 404);
    assert_eq!(served.get(&playlist.replace("?s=", "?s=9"))?.status, 403);
    assert_eq!(served.get(&playlist.replace("sim_0001", "sim_0002"))?.status, 403);
    let (token, _) = served.master("sim_0001")?;
    let value: String =
        form_urlencoded::byte_serialize(token["value"].as_str().unwrap_or("").as_bytes()).collect();
    let signed = format!(
        "/api/channel/hls/sim_0001.m3u8?sig={}&token={value}",
        token["signature"].as_str().unwrap_or("")
    );
    assert_eq!(served.get(&signed)?.status, 200);
    served.advance(Duration::from_secs(20 * 60));
    assert_eq!(served.get(&signed)?.status, 403);
    // A player that has its playlist goes on.
    assert_eq!(served.get(&playlist)?.status, 200);
    Ok(())
}

#[test]
fn the_playlist_moves_with_the_clock_and_old_segments_go() -> Outcome {
    let served = Served::small()?;
    let sequence = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        line.and_then(|number| number.parse::<u64>().ok())
    };
    let first = served.playlist("sim_0001")?.text();
    served.advance(Duration::from_secs(20));
    let later = served.playlist("sim_0001")?.text();
    assert_eq!(sequence(&later), sequence(&first).map(|number| number + 10));
    let oldest = addresses(&first).remove(0);
    assert_eq!(served.get(&oldest)?.status, 200, "gone from the list, still there");
    served.advance(Duration::from_secs(200));
    assert_eq!(served.get(&oldest)?.status, 404);
    let (newest, begins) = served.world.newest("sim_0001").ok_or("no channel")?;
    let now = START + 220_000;
    assert!((2_000..4_000).contains(&(now - begins)), "segment {newest} began at {begins}");
    let other = served.world.newest("sim_0002").ok_or("no channel")?;
    assert_ne!(begins % 2_000, other.1 % 2_000, "channels have phases of their own");
    Ok(())
}

#[test]
fn requests_are_counted_and_connections_kept() -> Outcome {
    let served = Served::small()?;
    let segment = addresses(&served.playlist("sim_0001")?.text()).remove(0);
    let mut stream = TcpStream::connect(served.address)?;
    for range in ["bytes=0-187", "bytes=188-375"] {
        let answer = served.ask_on(&mut stream, "GET", &segment, &[("Range", range)], b"")?;
        assert_eq!((answer.status, answer.body.len()), (206, 188));
    }
    let counts = served.world.counters(Some("sim_0001"));
    assert_eq!(
        (counts.tokens, counts.masters, counts.playlists, counts.segments, counts.ranges),
        (1, 1, 1, 2, 2)
    );
    assert_eq!((counts.segment_bytes, counts.refused), (376, 0));
    let all = served.get("/sim/stats")?.json();
    assert_eq!(all["segments"], 2);
    assert_eq!(served.world.counters(Some("sim_0002")).playlists, 0);
    // Token, master, playlist, the kept one and that of the statistics.
    assert_eq!(all["connections"], 5);
    Ok(())
}

#[test]
fn the_controls_set_show_and_clear_faults_and_refuse_what_is_none() -> Outcome {
    let served = Served::small()?;
    let path = "/sim/channels/sim_0001/fault";
    for (body, status) in [
        (r#"{"fault":"offline"}"#, 200),
        (r#"{"fault":"slow","bytes_per_second":100,"on":"segment","for_seconds":5}"#, 200),
        (r#"{"fault":"slow","speed":1}"#, 422),
        (r#"{"fault":"tired"}"#, 422),
        (r#"{"fault":"offline","for_seconds":-1}"#, 422),
        ("[]", 400),
        ("", 400),
    ] {
        assert_eq!(served.ask("PUT", path, &[], body.as_bytes())?.status, status, "{body}");
    }
    assert_eq!(served.get(path)?.json()["fault"], "slow");
    served.advance(Duration::from_secs(6));
    assert_eq!(served.get(path)?.text(), "null");
    assert_eq!(served.ask("PUT", path, &[], br#"{"fault":"gap"}"#)?.json()["fault"]["fault"], "gap");
    assert_eq!(served.ask("DELETE", path, &[], b"")?.json()["fault"], json!(null));
    assert_eq!(served.ask("PUT", "/sim/channels/nobody/fault", &[], br#"{"fault":"gap"}"#)?.status, 404);
    assert_eq!(served.get("/sim/channels")?.json()["count"], 2);
    assert_eq!(
        served.get("/sim/faults")?.json().as_array().map(Vec::len),
        Some(sim::fault::Fault::all().len())
    );
    Ok(())
}

#[test]
fn any_login_is_online_where_any_is_allowed_and_none_that_is_no_login() -> Outcome {
    let served = Served::with(|settings| settings.any = true)?;
    assert_eq!(served.master("somebody")?.1.status, 200);
    for name in ["Some", "a-b", "", "abcdefghijklmnopqrstuvwxyz"] {
        assert_eq!(served.token(name)?.json()["data"]["streamPlaybackAccessToken"], json!(null), "{name}");
    }
    assert_eq!(served.world.names(), ["sim_0001", "sim_0002", "somebody"]);
    Ok(())
}

//! Low-latency playlists: what they list when, what is held back until it is there, and that the parts are the segments.

use std::time::Duration;

use media::m3u8::{Media, Playlist, parse};

use crate::harness::{Outcome, Served};

const LIST: &str = "/hls/sim_0001/160p30.m3u8";
const CMAF: &str = "/hls/sim_0001/cmaf/160p30.m3u8";

fn served() -> Outcome<Served> {
    Served::with(|settings| settings.low_latency = true)
}

fn read(served: &Served, path: &str) -> Outcome<Media> {
    match parse(&served.get(path)?.body)? {
        Playlist::Media(media) => Ok(*media),
        Playlist::Master(_) => Err("a list of qualities".into()),
    }
}

/// Goes on to `millis` after the start of a segment; gives the number of the one before it, which is the newest whole one.
fn go_to(served: &Served, millis: u64) -> Outcome<u64> {
    let (_, begins) = served.world.newest("sim_0001").ok_or("no channel")?;
    // The one after the newest is being made; the next begins four seconds after the newest did.
    let to = begins + 4000 + millis;
    served.set(to);
    Ok(served.world.newest("sim_0001").ok_or("no channel")?.0)
}

#[test]
fn parts_are_listed_as_they_come_and_are_the_segments() -> Outcome {
    let served = served()?;
    for (list, folder) in [(LIST, "/hls/sim_0001"), (CMAF, "/hls/sim_0001/cmaf")] {
        for (millis, parts) in [(0, 0), (499, 0), (500, 1), (1000, 2), (1999, 3)] {
            let newest = go_to(&served, millis)?;
            let media = read(&served, list)?;
            assert!(
                media.can_block_reload && media.part_target == Some(Duration::from_millis(500)),
                "{list}"
            );
            assert_eq!(media.segments.last().ok_or("none")?.sequence, newest, "{list} {millis}");
            assert_eq!(media.parts.len(), parts, "{list} {millis}");
            let keys: Vec<bool> = media.parts.iter().map(|part| part.independent).collect();
            assert_eq!(keys, [true, false, false][..parts], "{list}: keyframes stand where segments begin");
            let text = served.get(list)?.text();
            assert_eq!(
                text.matches("#EXT-X-PART:").count(),
                8 + parts,
                "two whole segments have theirs: {text}"
            );
            let hint = media.preload_hint.ok_or("no hint")?;
            assert!(hint.contains(&format!("/{}.{parts}.", newest + 1)), "{hint}");
        }
        let newest = go_to(&served, 0)?;
        let ending = if list == CMAF { "m4s" } else { "ts" };
        let get = |name: String| served.get(&format!("{folder}/160p30/{name}.{ending}"));
        let whole = get(newest.to_string())?.body;
        let parts: Vec<Vec<u8>> =
            (0..4).map(|part| Ok(get(format!("{newest}.{part}"))?.body)).collect::<Outcome<_>>()?;
        assert!(parts.iter().all(|part| !part.is_empty()) && parts.concat() == whole, "{list}");
        if list == LIST {
            assert!(parts.iter().all(|part| part.len() % 188 == 0 && part[0] == 0x47));
        } else {
            assert!(parts.iter().all(|part| &part[4..8] == b"moof"));
        }
        let range = served.ask(
            "GET",
            &format!("{folder}/160p30/{newest}.1.{ending}"),
            &[("Range", "bytes=10-19")],
            b"",
        )?;
        assert_eq!((range.status, &range.body[..]), (206, &parts[1][10..20]));
        for missing in [format!("{newest}.4"), format!("{}.1", newest + 1), format!("{newest}.x")] {
            assert_eq!(get(missing.clone())?.status, 404, "{missing}");
        }
    }
    Ok(())
}

#[test]
fn what_is_still_to_come_is_waited_for_and_what_never_comes_is_not() -> Outcome {
    let served = served()?;
    let newest = go_to(&served, 1600)?;
    let next = newest + 1;
    for (path, step, bytes) in [
        (format!("{LIST}?_HLS_msn={next}&_HLS_part=3"), 400, None),
        (format!("{LIST}?_HLS_msn={}&_HLS_part=0", next + 1), 500, None),
        (format!("{CMAF}?_HLS_msn={}", next + 1), 1500, None),
        (format!("/hls/sim_0001/160p30/{}.0.ts", next + 2), 500, Some(0x47)),
    ] {
        std::thread::scope(|scope| -> Outcome {
            let asked = scope.spawn(|| served.get(&path).map_err(|e| e.to_string()));
            while served.world.counters(Some("sim_0001")).waiting == 0 {
                assert!(!asked.is_finished(), "{path} is not held back");
                std::thread::yield_now();
            }
            served.advance(Duration::from_millis(step));
            let answer = asked.join().map_err(|_| "panicked")??;
            assert_eq!(answer.status, 200, "{path}");
            if let Some(first) = bytes {
                assert_eq!(answer.body[0], first);
            }
            Ok(())
        })?;
    }
    // What is there already is not waited for; what makes no sense is refused at once.
    let newest = served.world.newest("sim_0001").ok_or("none")?.0;
    for (query, status) in [
        (format!("_HLS_msn={newest}"), 200),
        (format!("_HLS_msn={newest}&_HLS_part=3"), 200),
        (format!("_HLS_msn={}", newest + 3), 400),
        ("_HLS_part=1".to_owned(), 400),
    ] {
        assert_eq!(served.get(&format!("{LIST}?{query}"))?.status, status, "{query}");
    }
    assert_eq!(served.world.counters(None).waiting, 0);
    Ok(())
}

#[test]
fn a_channel_is_made_low_latency_and_plain_again_by_the_controls() -> Outcome {
    let served = Served::small()?;
    let newest = go_to(&served, 700)?;
    let low = |on: bool| -> Outcome {
        let text = served.get(LIST)?.text();
        assert_eq!(text.contains("#EXT-X-PART"), on, "{text}");
        let part = served.get(&format!("/hls/sim_0001/160p30/{newest}.0.ts"))?;
        assert_eq!(part.status, if on { 200 } else { 404 });
        let shown = served.get("/sim/channels/sim_0001")?.json();
        assert_eq!(shown["low_latency"], on);
        // Whose playlists are plain is asked for what it does not know, and answers.
        let held = served.get(&format!("/hls/sim_0002/160p30.m3u8?_HLS_msn={}", newest + 1_000_000))?;
        assert!(held.status == 200 && !held.text().contains("#EXT-X-PART"));
        Ok(())
    };
    let control = "/sim/channels/sim_0001/low_latency";
    low(false)?;
    assert_eq!(served.ask("PUT", control, &[], b"")?.status, 200);
    low(true)?;
    assert_eq!(served.ask("POST", control, &[], b"")?.status, 405);
    assert_eq!(served.ask("DELETE", control, &[], b"")?.status, 200);
    low(false)?;
    assert_eq!(served.ask("PUT", "/sim/channels/nobody/low_latency", &[], b"")?.status, 404);
    Ok(())
}

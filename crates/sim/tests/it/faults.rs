//! Every fault, as a client sees it, and gone when it is over.

use std::path::Path;
use std::time::Duration;

use sim::fault::{Fault, Scope};

use crate::harness::{Answer, Outcome, Served, addresses, ffprobe};

const NAME: &str = "sim_0001";

/// What a client of a channel meets: each step is a status, and a text or bytes.
struct Met {
    token: Answer,
    master: Answer,
    /// By an address from before the fault.
    playlist: Answer,
    /// The newest that the playlist from before the fault listed.
    segment: Answer,
}

fn meet(served: &Served, fault: Fault) -> Outcome<Met> {
    let (_, master) = served.master(NAME)?;
    let before = addresses(&master.text()).remove(0);
    let newest = addresses(&served.get(&before)?.text()).pop().ok_or("no segment")?;
    served.world.fault(NAME, fault, None)?;
    Ok(Met {
        token: served.token(NAME)?,
        master: served.master(NAME)?.1,
        playlist: served.get(&before)?,
        segment: served.get(&newest)?,
    })
}

/// The newest segment a client gets now from token to bytes, if all is well.
fn healthy(served: &Served) -> Outcome<bool> {
    let Ok(playlist) = served.playlist(NAME) else { return Ok(false) };
    let listed = addresses(&playlist.text());
    let Some(newest) = listed.last().filter(|_| playlist.status == 200 && listed.len() == 15) else {
        return Ok(false);
    };
    let segment = served.get(newest)?;
    let marks = ["#EXT-X-GAP", "Amazon", "#EXT-X-KEY:METHOD=AES-128", "DISCONTINUITY"];
    // Only the end of the list matters: what was wrong stays in the segments of its time.
    let end: String = playlist.text().lines().rev().take(6).collect();
    let fit =
        segment.status == 200 && segment.whole && segment.body.len() > 20_000 && segment.body[0] == 0x47;
    Ok(fit && !marks.iter().any(|mark| end.contains(mark)))
}

#[test]
fn every_fault_but_the_transports_ends_and_leaves_the_channel_as_it_was() -> Outcome {
    let served = Served::with(|settings| settings.ladder.truncate(1))?;
    assert!(healthy(&served)?);
    let slow = |fault: &Fault| {
        matches!(
            fault,
            Fault::Stall { .. } | Fault::Trickle { .. } | Fault::Slow { .. } | Fault::PlaylistHuge { .. }
        )
    };
    let quiet = |fault: &Fault| {
        matches!(
            fault,
            Fault::NoRange {} | Fault::ClockSkew { .. } | Fault::WrongPts {} | Fault::AudioOnly {}
        )
    };
    for fault in Fault::all().into_iter().filter(|fault| !slow(fault)) {
        served.world.fault(NAME, fault.clone(), None)?;
        let others = (fault == Fault::ResolutionChange {}) || (fault == Fault::TokenExpired {});
        let backwards = matches!(fault, Fault::PlaylistFrozen {} | Fault::PlaylistBackwards {});
        if !quiet(&fault) && !others && !backwards {
            assert!(!healthy(&served)?, "{fault:?} is not seen");
        }
        served.advance(Duration::from_secs(4));
        served.world.clear(NAME)?;
        served.advance(Duration::from_secs(6));
        assert!(healthy(&served)?, "{fault:?} goes on");
        assert_eq!(served.world.faulty(NAME), None);
    }
    Ok(())
}

#[test]
fn channels_that_are_gone_say_so_at_every_door() -> Outcome {
    for (fault, token, statuses) in [
        (Fault::Offline {}, "null", [404, 404, 404]),
        (Fault::Banned {}, "\\\"forbidden\\\":true", [403, 403, 403]),
        (Fault::Renamed { to: None }, "null", [404, 404, 404]),
        // A new token is as good as ever.
        (Fault::TokenExpired {}, "signature", [200, 403, 403]),
        (Fault::ClientIntegrity {}, "failed integrity check", [403, 200, 200]),
        (
            Fault::ServerErrors { probability: 1.0, status: 502, on: Scope::All },
            "an error of the server",
            [502, 502, 502],
        ),
        (
            Fault::ServerErrors { probability: 1.0, status: 500, on: Scope::Playlist },
            "signature",
            [200, 500, 200],
        ),
    ] {
        let served = Served::with(|settings| settings.ladder.truncate(1))?;
        let met = meet(&served, fault.clone())?;
        assert!(met.token.text().contains(token), "{fault:?}: {}", met.token.text());
        let seen = [met.master.status, met.playlist.status, met.segment.status];
        // Without a token there is no master playlist behind it.
        let expected = if token == "null" { [404, statuses[1], statuses[2]] } else { statuses };
        assert_eq!(seen, expected, "{fault:?}");
    }
    let served = Served::small()?;
    served.world.fault(NAME, Fault::Renamed { to: Some("other".into()) }, None)?;
    assert_eq!(served.master("other")?.1.status, 200, "the new name");
    Ok(())
}

#[test]
fn server_errors_come_as_often_as_asked_and_repeatably() -> Outcome {
    let storm = || -> Outcome<Vec<u16>> {
        let served = Served::with(|settings| settings.ladder.truncate(1))?;
        let (_, master) = served.master(NAME)?;
        let playlist = addresses(&master.text()).remove(0);
        let fault = Fault::ServerErrors { probability: 0.5, status: 503, on: Scope::Playlist };
        served.world.fault(NAME, fault, None)?;
        (0..60).map(|_| Ok(served.get(&playlist)?.status)).collect()
    };
    let seen = storm()?;
    let errors = seen.iter().filter(|status| **status == 503).count();
    assert!((15..45).contains(&errors), "{errors} of 60");
    assert_eq!(seen, storm()?);
    Ok(())
}

#[test]
fn playlists_misbehave_as_asked() -> Outcome {
    let served = Served::with(|settings| settings.ladder.truncate(1))?;
    let (_, master) = served.master(NAME)?;
    let playlist = addresses(&master.text()).remove(0);
    let seen = |fault: Fault| -> Outcome<(String, String)> {
        served.world.fault(NAME, fault, None)?;
        let first = served.get(&playlist)?.text();
        served.advance(Duration::from_secs(10));
        let later = served.get(&playlist)?.text();
        served.world.clear(NAME)?;
        Ok((first, later))
    };
    let sequence = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let (first, later) = seen(Fault::PlaylistFrozen {})?;
    assert_eq!(addresses(&first), addresses(&later));
    let (first, later) = seen(Fault::PlaylistBackwards {})?;
    assert_eq!(sequence(&later), sequence(&first) - 5);
    let (first, _) = seen(Fault::PlaylistHtml {})?;
    assert!(first.starts_with("<!DOCTYPE html>"));
    let (first, _) = seen(Fault::PlaylistEmpty {})?;
    assert!(first.starts_with("#EXTM3U") && addresses(&first).is_empty());
    let (first, _) = seen(Fault::PlaylistFileUris {})?;
    assert!(addresses(&first).contains(&"file:///etc/passwd".to_owned()));
    let (first, _) = seen(Fault::PlaylistHuge { megabytes: 3 })?;
    assert!((3 << 20..4 << 20).contains(&first.len()), "{}", first.len());
    assert_eq!(addresses(&first).len(), 15);
    let (first, _) = seen(Fault::PlaylistMany { entries: 4321 })?;
    assert_eq!(addresses(&first).len(), 4321);
    let (right, _) = seen(Fault::NoRange {})?;
    let (first, _) = seen(Fault::ClockSkew { seconds: -3600.0 })?;
    let hour = |text: &str| {
        text.lines().find_map(|l| l.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")).map(|t| t[11..13].to_owned())
    };
    assert_eq!((hour(&right).as_deref(), hour(&first).as_deref()), (Some("00"), Some("23")));
    Ok(())
}

#[test]
fn segments_misbehave_as_asked() -> Outcome {
    let served = Served::small()?;
    let folder = tempfile::tempdir()?;
    let whole = meet(&served, Fault::NoRange {})?.segment.body;
    let kept = |bytes: &[u8]| -> Outcome<std::path::PathBuf> {
        let file = folder.path().join("a.ts");
        std::fs::write(&file, bytes)?;
        Ok(file)
    };
    let shown = |file: &Path| ffprobe(&["-show_entries", "stream=codec_name,width,height,start_time"], file);

    let empty = meet(&served, Fault::SegmentEmpty {})?.segment;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    let cut = meet(&served, Fault::SegmentTruncated {})?.segment;
    assert!(cut.whole && cut.body.len() > 188 && whole.starts_with(&cut.body));
    assert!(meet(&served, Fault::SegmentHtml {})?.segment.text().starts_with("<!DOCTYPE html>"));
    assert_eq!(meet(&served, Fault::SegmentMissing {})?.segment.status, 404);
    let sound = meet(&served, Fault::AudioOnly {})?.segment;
    let found = shown(&kept(&sound.body)?)?;
    assert_eq!(found["streams"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["streams"][0]["codec_name"], "aac");
    let small = meet(&served, Fault::ResolutionChange {})?.segment;
    let found = shown(&kept(&small.body)?)?;
    assert_eq!((&found["streams"][0]["width"], &found["streams"][0]["height"]), (&214.into(), &120.into()));
    let wrong = meet(&served, Fault::WrongPts {})?.segment;
    let start = |found: &serde_json::Value| found["streams"][0]["start_time"].as_str().map(str::to_owned);
    assert_ne!(start(&shown(&kept(&wrong.body)?)?), start(&shown(&kept(&whole)?)?));
    Ok(())
}

#[test]
fn scrambled_segments_say_so_and_hide_their_pictures() -> Outcome {
    for declared in [true, false] {
        let served = Served::with(|settings| settings.ladder.truncate(1))?;
        let met = meet(&served, Fault::Encrypted { declared })?;
        assert_eq!(met.playlist.text().contains("#EXT-X-KEY:METHOD=AES-128"), declared);
        let packets = met.segment.body.chunks(188).skip(2);
        assert!(packets.clone().all(|packet| packet[0] == 0x47 && packet[3] & 0x80 != 0));
        assert!(
            !met.segment.body.windows(5).any(|bytes| bytes == [0, 0, 0, 1, 0x67]),
            "parameter sets are readable"
        );
        let list = served.playlist(NAME)?.text();
        let newest = addresses(&list).pop().ok_or("none")?;
        let part = served.ask("GET", &newest, &[("Range", "bytes=500-1500")], b"")?;
        assert_eq!(part.body, served.get(&newest)?.body[500..=1500], "a part is scrambled as the whole");
    }
    Ok(())
}

#[test]
fn advertisements_are_marked_where_they_are_and_end() -> Outcome {
    let served = Served::with(|settings| settings.ladder.truncate(1))?;
    let clean = served.playlist(NAME)?.text();
    served.world.fault(NAME, Fault::Ads { seconds: 6 }, None)?;
    served.advance(Duration::from_secs(12));
    assert_eq!(served.world.faulty(NAME), None, "they end by themselves");
    let list = served.playlist(NAME)?.text();
    assert!(!clean.contains("stitched-ad") && list.contains("CLASS=\"twitch-stitched-ad\""), "{list}");
    assert!((3..=4).contains(&list.matches("#EXTINF:2.000,Amazon|").count()), "{list}");
    assert_eq!(list.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "{list}");
    let lines: Vec<_> = list.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("Amazon|") && line.starts_with("#EXTINF"))
        .ok_or("no ad")?;
    let ad = served.get(lines[at + 1])?;
    assert_eq!(ad.status, 200);
    Ok(())
}

#[test]
fn gaps_and_discontinuities_are_marked() -> Outcome {
    let served = Served::with(|settings| settings.ladder.truncate(1))?;
    let met = meet(&served, Fault::Gap {})?;
    assert_eq!((met.playlist.text().matches("#EXT-X-GAP\n").count(), met.segment.status), (1, 404));
    served.world.fault(NAME, Fault::Discontinuity {}, None)?;
    served.advance(Duration::from_secs(6));
    served.world.clear(NAME)?;
    served.advance(Duration::from_secs(6));
    assert_eq!(served.playlist(NAME)?.text().matches("#EXT-X-DISCONTINUITY\n").count(), 2);
    Ok(())
}

#[test]
fn connections_stall_trickle_break_and_ignore_ranges() -> Outcome {
    let served = Served::with(|settings| settings.ladder.truncate(1))?;
    let list = served.playlist(NAME)?.text();
    let newest = addresses(&list).pop().ok_or("none")?;
    let whole = served.get(&newest)?.body;
    let on = Scope::Segment;
    served.world.fault(NAME, Fault::Reset { on }, None)?;
    let broken = served.get(&newest)?;
    assert!(!broken.whole && broken.status == 200 && whole.starts_with(&broken.body));
    served.world.fault(NAME, Fault::NoRange {}, None)?;
    let all = served.ask("GET", &newest, &[("Range", "bytes=0-9")], b"")?;
    assert_eq!((all.status, all.body.len()), (200, whole.len()));
    served.world.fault(NAME, Fault::Trickle { on }, None)?;
    let part = served.ask("GET", &newest, &[("Range", "bytes=0-1")], b"")?;
    assert_eq!((part.status, &part.body[..]), (206, &whole[..2]));
    served.world.fault(NAME, Fault::Stall { on }, None)?;
    let stalled = served.headers_of(&newest)?;
    assert_eq!(stalled.headers.get("content-length"), Some(&whole.len().to_string()));
    assert!(stalled.body.is_empty());
    served.world.fault(NAME, Fault::Slow { bytes_per_second: 1_000_000, on }, None)?;
    assert_eq!(served.get(&newest)?.body, whole);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_faults_at_the_same_times() -> Outcome {
    let timeline = |seed: u64| -> Outcome<Vec<Vec<Option<Fault>>>> {
        let served = Served::with(|settings| {
            settings.channels = (0..20).map(|number| format!("c{number}")).collect();
            (settings.seed, settings.fault_rate) = (seed, 0.3);
        })?;
        let mut seen = Vec::new();
        for _ in 0..300 {
            served.advance(Duration::from_secs(1));
            seen.push(served.world.names().iter().map(|name| served.world.faulty(name)).collect());
        }
        Ok(seen)
    };
    let first = timeline(7)?;
    assert_eq!(first, timeline(7)?);
    assert_ne!(first, timeline(8)?);
    let faulty = first.iter().flatten().filter(|fault| fault.is_some()).count();
    assert!((600..3600).contains(&faulty), "{faulty} of 6000 looks");
    Ok(())
}

#[test]
fn every_fault_is_in_the_documentation() -> Outcome {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sim.md"))?;
    for fault in Fault::all() {
        let name = serde_json::to_value(&fault)?["fault"].as_str().unwrap_or_default().to_owned();
        assert!(
            page.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{name}`"))),
            "{name}"
        );
    }
    Ok(())
}

//! Requests that are held back until there is what they ask for: low-latency playlists and hinted parts.
//!
//! Called by the routes of plain HLS. Never longer than [`MOST`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};

use super::reply::Reply;
use crate::film::{PARTS, SEGMENT_SECONDS};
use crate::playlist;
use crate::world::{Channel, Look, World};

/// Three target durations, as the standard has it.
const MOST: Duration = Duration::from_secs(3 * SEGMENT_SECONDS as u64);
/// The world's clock may be moved by hand: it is looked at so often.
const LOOK: Duration = Duration::from_millis(20);

/// What the channel is like once its playlist has the segment (`_HLS_msn`) or part (`_HLS_part`) that is asked for.
///
/// # Errors
/// The answer to a request that makes no sense, or for something that did not come.
pub(super) async fn waited(
    request: &Request<Incoming>,
    world: &World,
    channel: &Arc<Channel>,
) -> Result<Look, Reply> {
    let look = channel.look(world.now());
    let asked = asked(request.uri().query().unwrap_or_default(), playlist::edge(channel, &look).0);
    let (sequence, part) = match asked {
        _ if !look.low_latency => return Ok(look),
        Ok(None) => return Ok(look),
        Ok(Some(asked)) => asked,
        Err(why) => return Err(Reply::text(400, why)),
    };
    let there = |look: &Look| {
        let (newest, parts) = playlist::edge(channel, look);
        newest >= sequence || newest + 1 == sequence && part.is_some_and(|part| parts > part)
    };
    let look = until(world, channel, there).await;
    if there(&look) { Ok(look) } else { Err(Reply::text(503, "it did not come in time")) }
}

/// What the channel is like once a part that is next to come has come.
pub(super) async fn hinted(world: &World, channel: &Arc<Channel>, sequence: u64, part: usize) -> Look {
    let look = channel.look(world.now());
    let (newest, parts) = playlist::edge(channel, &look);
    if !look.low_latency || (newest + 1, parts) != (sequence, part as u64) {
        return look;
    }
    until(world, channel, |look| channel.part_ends(sequence, part) <= look.now).await
}

/// Looks at the channel until it is as wanted, or has been waited for long enough.
async fn until(world: &World, channel: &Arc<Channel>, wanted: impl Fn(&Look) -> bool) -> Look {
    let look = || channel.look(world.now());
    if wanted(&look()) {
        return look();
    }
    let waiting = [world.all_counters(), &channel.counters].map(|counters| &counters.waiting);
    // Counted down also when the peer leaves.
    let _counted = Counted::up(waiting);
    let come = async {
        while !wanted(&look()) {
            sleep(LOOK).await;
        }
    };
    // Whether it came is for the caller to see.
    let _ = timeout(MOST, come).await;
    look()
}

struct Counted<'a>([&'a AtomicI64; 2]);

impl<'a> Counted<'a> {
    fn up(counts: [&'a AtomicI64; 2]) -> Self {
        for count in counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(counts)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        for count in self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The segment and part that a query asks for, of a channel whose newest whole segment is `newest`.
fn asked(query: &str, newest: u64) -> Result<Option<(u64, Option<u64>)>, &'static str> {
    let value = |name: &str| {
        let found = query.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.map(str::parse::<u64>).transpose().map_err(|_| "_HLS_msn and _HLS_part are whole numbers")
    };
    let (sequence, part) = match (value("_HLS_msn")?, value("_HLS_part")?) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err("_HLS_part needs _HLS_msn"),
        (Some(sequence), part) => (sequence, part),
    };
    if sequence > newest.saturating_add(2) {
        return Err("_HLS_msn is too far ahead");
    }
    // A part behind the last is the first of the next segment.
    let after = part.is_some_and(|part| part >= PARTS as u64);
    Ok(Some(if after { (sequence + 1, Some(0)) } else { (sequence, part) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_the_standard_says() {
        for (query, expected) in [
            ("", Ok(None)),
            ("s=1", Ok(None)),
            ("_HLS_msn=7", Ok(Some((7, None)))),
            ("s=1&_HLS_msn=7&_HLS_part=3", Ok(Some((7, Some(3))))),
            ("_HLS_part=0&_HLS_msn=12", Ok(Some((12, Some(0))))),
            ("_HLS_msn=11&_HLS_part=4", Ok(Some((12, Some(0))))),
        ] {
            assert_eq!(asked(query, 10), expected, "{query}");
        }
        for query in
            ["_HLS_part=1", "_HLS_msn=13", "_HLS_msn=-1", "_HLS_msn=", "_HLS_msn=99999999999999999999"]
        {
            assert!(asked(query, 10).is_err(), "{query}");
        }
    }
}

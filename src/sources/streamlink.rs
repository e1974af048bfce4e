//! The `streamlink` program, which knows how hundreds of sites name their video.
//!
//! Called for the address of a page that our own client has fetched, so that its host has passed the policy; what streamlink
//! itself then connects to is out of our hands, which is why it is never given playlists. Its answer is a stranger's.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use url::Url;

use super::failure::{Cause, Failure};
use super::pull::Shared;
use super::quality::Quality;

const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of its output that are read.
const MOST: u64 = 64 << 10;

/// The address of the video on the page at `url`.
pub(super) async fn ask(shared: &Shared, url: &Url, quality: Quality) -> Result<Url, Failure> {
    let slot = shared.streamlink_slots.acquire().await.expect("it is never closed");
    let mut program = Command::new(&shared.streamlink);
    program
        .args(["--stream-url", "--", url.as_str(), &wishes(quality)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut running = program.spawn().map_err(|e| not_started(e.kind()))?;
    let output = running.stdout.take().expect("it is piped");
    let mut text = Vec::new();
    let whole = async {
        output.take(MOST).read_to_end(&mut text).await?;
        running.wait().await
    };
    let ended = tokio::time::timeout(PATIENCE, whole).await;
    drop(slot);
    let ended = ended.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Failure::error(Cause::Streamlink, format!("streamlink found nothing within {seconds} s"))
    })?;
    ended.map_err(|e| Failure::error(Cause::Streamlink, format!("streamlink: {e}")))?;
    answer(&String::from_utf8_lossy(&text))
}

fn not_started(kind: ErrorKind) -> Failure {
    let what = match kind {
        ErrorKind::NotFound => {
            "the address leads to a web page; to follow it, install streamlink (for example with pipx)"
                .to_owned()
        }
        other => format!("streamlink can't be started: {other}"),
    };
    Failure::error(Cause::Streamlink, what)
}

/// The names under which sites offer what is wanted, best first.
fn wishes(quality: Quality) -> String {
    const LINES: [u32; 8] = [2160, 1440, 1080, 720, 480, 360, 240, 160];
    match quality {
        Quality::Source => "best".to_owned(),
        Quality::Worst => "worst".to_owned(),
        Quality::Height { lines: most, fps } => {
            let mut wishes = vec![Quality::Height { lines: most, fps }.to_string()];
            for lines in LINES.into_iter().filter(|&lines| lines <= most) {
                wishes.extend(["", "30", "60"].map(|fps| format!("{lines}p{fps}")));
            }
            wishes.push("worst".to_owned());
            wishes.join(",")
        }
    }
}

/// The address it printed; otherwise what its complaint means. Its own words may hold addresses, and stay out of sight.
fn answer(text: &str) -> Result<Url, Failure> {
    let addresses = text.lines().map(str::trim).filter(|line| line.starts_with("http"));
    if let Some(url) = addresses.filter_map(|line| line.parse().ok()).next_back() {
        return Ok(url);
    }
    if text.contains("No playable streams") {
        return Err(Failure::offline("nothing is broadcast at the address now"));
    }
    let what = match () {
        () if text.contains("No plugin can handle") => "streamlink does not know this site",
        () if text.contains("could not be found") => "the site does not offer this quality",
        () => "streamlink found no video",
    };
    Err(Failure::error(Cause::Streamlink, what))
}

#[cfg(test)]
mod tests {
    use super::super::failure::FailureKind;
    use super::*;

    #[test]
    fn its_answers_are_addresses_or_states() {
        assert_eq!(answer("https://h/a.m3u8?x=1\n").unwrap().as_str(), "https://h/a.m3u8?x=1");
        assert_eq!(answer("[cli][info] note\nhttps://h/b\n").unwrap().as_str(), "https://h/b");
        for (text, kind) in [
            ("error: No playable streams found on this URL: https://h/?secret", FailureKind::Offline),
            ("error: No plugin can handle URL: https://h/", FailureKind::Error(Cause::Streamlink)),
            ("file:///etc/passwd", FailureKind::Error(Cause::Streamlink)),
            ("", FailureKind::Error(Cause::Streamlink)),
        ] {
            let failure = answer(text).unwrap_err();
            assert_eq!(failure.kind, kind, "{text}");
            assert!(!failure.reason.contains("secret"));
        }
    }

    #[test]
    fn what_is_wanted_is_said_in_its_words() {
        for (quality, words) in [
            ("best", "best"),
            ("worst", "worst"),
            ("240p", "240p,240p,240p30,240p60,160p,160p30,160p60,worst"),
        ] {
            assert_eq!(wishes(quality.parse().unwrap()), words);
        }
    }
}

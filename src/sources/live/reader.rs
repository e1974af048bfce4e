//! The thread of one kept-open input: reads keyframes, sets times against them, keeps the newest.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use media::keyframe::Keyframe;
use media::live::{self, Options, Source};
use tokio::sync::watch;

use super::bridge::Bridge;
use super::control::Control;
use super::{Shot, State};
use crate::base::clock::{Clock, MediaTime};
use crate::egress;
use crate::sources::failure::{Cause, Failure};

/// What to open.
pub(super) enum Input {
    /// `addresses` are those that its name stands for, best first.
    Url {
        url: String,
        addresses: Vec<IpAddr>,
    },
    /// `paced`: it has an end, so it is a film and no broadcast.
    Web {
        bridge: Box<Bridge>,
        paced: bool,
    },
    File(PathBuf),
}

/// Times that come apart further than this from the clock begin anew.
const DRIFT: Duration = Duration::from_secs(10);
/// The doubt about a broadcast's time while the distance of keyframes is not known.
const DOUBT: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried: each may take the whole time.
pub(super) const MOST_ADDRESSES: usize = 4;
/// How long the last picture of a film is shown when that is not known.
const LAST_PICTURE: Duration = Duration::from_secs(1);

pub(super) struct Reader {
    pub(super) input: Input,
    pub(super) control: Arc<Control>,
    pub(super) clock: Clock,
    pub(super) tell: watch::Sender<State>,
}

impl Reader {
    /// Reads until the end, an error, or word that nobody wants more.
    pub(super) fn run(mut self) {
        let ended = match self.read() {
            Ok(()) => Failure::offline("the broadcast has ended"),
            Err(failure) => failure,
        };
        self.tell.send_modify(|state| state.ended = Some(ended));
    }

    fn read(&mut self) -> Result<(), Failure> {
        match self.input {
            Input::Web { paced: true, .. } | Input::File(_) => self.film(),
            Input::Url { .. } | Input::Web { .. } => self.broadcast(),
        }
    }

    fn open(&self) -> Result<live::Input, Failure> {
        let source = match &self.input {
            Input::Url { url, addresses } => return self.open_any(url, addresses),
            Input::File(path) => Source::File(path.clone()),
            Input::Web { bridge, .. } if bridge.can_seek() => Source::Seekable(Box::new(bridge.again())),
            Input::Web { bridge, .. } => Source::Reader(Box::new(bridge.again())),
        };
        self.open_source(source).map_err(|e| failure(&e))
    }

    /// At the first address where somebody answers.
    fn open_any(&self, url: &str, addresses: &[IpAddr]) -> Result<live::Input, Failure> {
        let mut failed = Failure::error(Cause::Dns, "its name has no address");
        for &address in addresses.iter().take(MOST_ADDRESSES) {
            match self.open_source(Source::Url { url: url.to_owned(), address: Some(address) }) {
                Ok(input) => return Ok(input),
                Err(e @ (live::Error::Open(_) | live::Error::TimedOut)) => failed = failure(&e),
                Err(e) => return Err(failure(&e)),
            }
        }
        Err(failed)
    }

    fn open_source(&self, source: Source) -> Result<live::Input, live::Error> {
        let interrupt = Arc::clone(&self.control.interrupt);
        let options = Options { authorities: egress::authorities(), ..Options::default() };
        live::Input::open(source, &options, interrupt)
    }

    /// A broadcast's first keyframe is of the moment it comes in, and the others follow by their timestamps.
    fn broadcast(&mut self) -> Result<(), Failure> {
        let mut input = self.open()?;
        let mut anchor = None;
        let mut last = None;
        while let Some(keyframe) = input.next_keyframe().map_err(|e| failure(&e))? {
            if self.control.stopped() || self.control.idle(self.clock.now()) {
                return Ok(());
            }
            let (now, wall) = (self.clock.now(), self.clock.wall());
            let at = duration(keyframe.pts);
            let (began, began_at) = *anchor.get_or_insert((now, wall.0));
            let origin = *last.get_or_insert(at);
            let (passed, told) = (now.since(began), at.saturating_sub(origin));
            let apart = passed.abs_diff(told);
            if apart > DRIFT || at < origin {
                (anchor, last) = (Some((now, wall.0)), Some(at));
                self.show(keyframe, MediaTime(wall.0), DOUBT);
            } else {
                self.show(keyframe, MediaTime(began_at + told), DOUBT);
            }
        }
        Ok(())
    }

    /// A film plays in its own time, over and over.
    fn film(&mut self) -> Result<(), Failure> {
        let (mut begins, wall, start) = (Duration::ZERO, self.clock.wall(), self.clock.now());
        loop {
            let mut input = self.open()?;
            let (mut last, mut gap): (Option<Duration>, _) = (None, LAST_PICTURE);
            while let Some(keyframe) = input.next_keyframe().map_err(|e| failure(&e))? {
                let at = duration(keyframe.pts).max(last.unwrap_or_default());
                if let Some(last) = last {
                    gap = at.saturating_sub(last).max(Duration::from_millis(10));
                }
                last = Some(at);
                if !self.control.wait(&self.clock, start + (begins + at)) {
                    return Ok(());
                }
                self.show(keyframe, MediaTime(wall.0 + (begins + at)), gap);
            }
            let Some(last) = last else {
                return Err(Failure::error(Cause::Keyframe, "it has no keyframe"));
            };
            begins += last + gap;
            // A film that is opened anew waits until its turn, so that a broken one can't spin.
            if !self.control.wait(&self.clock, start + begins) {
                return Ok(());
            }
        }
    }

    fn show(&self, keyframe: Keyframe, media_time: MediaTime, media_time_error: Duration) {
        self.tell.send_modify(|state| {
            state.number += 1;
            state.newest = Some(Shot { keyframe, media_time, media_time_error });
        });
    }
}

fn duration(ticks: u64) -> Duration {
    Duration::from_micros(ticks.saturating_mul(100) / 9)
}

fn failure(error: &live::Error) -> Failure {
    let cause = match error {
        live::Error::Address(_) => Cause::Refused,
        live::Error::Open(_) | live::Error::Read(_) | live::Error::Interrupted => Cause::Input,
        live::Error::NoVideo => Cause::NoVideo,
        live::Error::Codec(_) => Cause::Codec,
        live::Error::TooLarge => Cause::Keyframe,
        live::Error::TimedOut => Cause::Timeout,
    };
    Failure::error(cause, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tasks::Tasks;

    #[test]
    fn every_address_of_a_name_is_tried_until_somebody_answers() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtmp://name.invalid:{}/live/x", listener.local_addr().unwrap().port());
        // Nobody listens at the first.
        let addresses = [[127, 0, 0, 2], [127, 0, 0, 1]].map(IpAddr::from).to_vec();
        let (tell, state) = watch::channel(State::default());
        let control = Arc::new(Control::apart());
        let input = Input::Url { url, addresses };
        let reader = Reader { input, control: Arc::clone(&control), clock: Clock::real(), tell };
        let running = Tasks::default();
        running.thread("reads", 1 << 20, || reader.run()).unwrap();
        drop(listener.accept().unwrap());
        while state.has_changed().is_ok_and(|changed| !changed) {
            std::thread::yield_now();
        }
        let ended = state.borrow().ended.clone().unwrap();
        assert_eq!(ended.kind, crate::sources::FailureKind::Error(Cause::Input), "{ended}");
    }

    #[test]
    fn ticks_are_of_90_kilohertz() {
        assert_eq!(duration(90_000), Duration::from_secs(1));
        assert_eq!(duration(3), Duration::from_micros(33));
    }
}

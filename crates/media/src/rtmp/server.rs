//! One connection's conversation, from the handshake to the end of the publishing.

use bytes::{Buf, BytesMut};

use super::amf::{self, Value};
use super::chunk::{self, Message, Reader};
use super::flv::{self, Sound, Video};
use super::{Error, MAX_MESSAGE};

/// What a publisher does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It wants to publish; nothing more comes before [`Server::accept`] or [`Server::refuse`].
    Publish {
        /// The path of its address, `live` by custom.
        app: String,
        /// The stream key.
        key: String,
    },
    Video {
        /// When it is to be decoded: milliseconds from an arbitrary start, modulo 2³².
        timestamp: u32,
        video: Video,
    },
    Sound {
        timestamp: u32,
        sound: Sound,
    },
    /// It has stopped publishing.
    Finished,
}

/// Holds the unread bytes, at most one message of them. All output waits for [`Server::output`].
#[derive(Debug)]
pub struct Server {
    stage: Stage,
    input: BytesMut,
    out: Vec<u8>,
    chunks: Reader,
    app: Option<String>,
    received: u32,
    acknowledged: u32,
    /// The peer wants to know of every so many bytes.
    window: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for C0 and C1.
    Hello,
    /// Waits for C2.
    Echo,
    Commands,
    /// Waits for [`Server::accept`].
    Asked,
    Publishing,
}

impl Server {
    const HANDSHAKE: usize = 1536;
    /// Bytes of one command.
    const MAX_COMMAND: usize = 64 << 10;
    /// Bytes either side may send without an acknowledgement.
    const WINDOW: u32 = 2_500_000;
    /// The one message stream we give.
    const STREAM: u32 = 1;
    /// Bytes that may wait unread: the longest message, with a header for each smallest chunk of it or none.
    const MAX_INPUT: usize = 2 * MAX_MESSAGE;

    #[must_use]
    pub fn new() -> Self {
        Self {
            stage: Stage::Hello,
            input: BytesMut::new(),
            out: Vec::new(),
            chunks: Reader::new(),
            app: None,
            received: 0,
            acknowledged: 0,
            window: None,
        }
    }

    /// Takes bytes from the peer; [`Self::next`] is to be asked until it has nothing, before more are given.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it was not.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.input.len() + bytes.len() > Self::MAX_INPUT {
            return Err(Error::TooLarge(self.input.len() + bytes.len()));
        }
        self.input.extend_from_slice(bytes);
        self.received = self.received.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if self.window.is_some_and(|window| self.received.wrapping_sub(self.acknowledged) >= window) {
            self.acknowledged = self.received;
            chunk::write(2, ACKNOWLEDGEMENT, 0, &self.received.to_be_bytes(), &mut self.out);
        }
        Ok(())
    }

    /// Bytes for the peer.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The next thing the publisher does, as far as it has come.
    ///
    /// # Errors
    /// What the peer sends is not RTMP, or not what we take; the connection is of no more use.
    #[expect(clippy::should_implement_trait, reason = "more bytes make more events")]
    pub fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.stage {
                Stage::Asked => return Ok(None),
                Stage::Hello | Stage::Echo => {
                    if !self.shake_hands()? {
                        return Ok(None);
                    }
                }
                Stage::Commands | Stage::Publishing => {
                    let Some(message) = self.chunks.next(&mut self.input)? else { return Ok(None) };
                    if let Some(event) = self.message(&message)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    /// Lets the publisher begin.
    pub fn accept(&mut self) {
        self.stage = Stage::Publishing;
        chunk::write(2, USER_CONTROL, 0, &[0, 0, 0, 0, 0, 1], &mut self.out);
        self.status("status", "NetStream.Publish.Start", "publishing");
    }

    /// Tells the publisher why it may not begin, or not go on.
    pub fn refuse(&mut self, why: &str) {
        self.status("error", "NetStream.Publish.BadName", why);
    }

    /// Whether a stage of the handshake was ended. The plain one of the specification: no peer of today needs the other.
    fn shake_hands(&mut self) -> Result<bool, Error> {
        if self.stage == Stage::Echo {
            if self.input.len() < Self::HANDSHAKE {
                return Ok(false);
            }
            self.input.advance(Self::HANDSHAKE);
            self.stage = Stage::Commands;
            return Ok(true);
        }
        if self.input.first().is_some_and(|version| *version != 3) {
            return Err(Error::NotRtmp);
        }
        if self.input.len() <= Self::HANDSHAKE {
            return Ok(false);
        }
        self.input.advance(1);
        let theirs = self.input.split_to(Self::HANDSHAKE);
        self.out.push(3);
        // Zero time and version, then what need not be secret; their own bytes back.
        self.out.extend([0; 8]);
        self.out.extend((8..Self::HANDSHAKE).map(|i| u8::try_from(i * 7 % 251).unwrap_or(0)));
        self.out.extend(theirs);
        self.stage = Stage::Echo;
        Ok(true)
    }

    fn message(&mut self, message: &Message) -> Result<Option<Event>, Error> {
        let Message { timestamp, kind, payload, .. } = message;
        let number = || payload.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let publishing = self.stage == Stage::Publishing;
        match *kind {
            SET_CHUNK_SIZE => self.chunks.set_chunk_size(number().unwrap_or(0))?,
            ABORT => number().into_iter().for_each(|id| self.chunks.abort(id)),
            WINDOW_SIZE => self.window = number().filter(|window| *window > 0),
            VIDEO if publishing => {
                let video = flv::video(payload)?;
                return Ok(video.map(|video| Event::Video { timestamp: *timestamp, video }));
            }
            AUDIO if publishing => {
                let sound = flv::sound(payload);
                return Ok(sound.map(|sound| Event::Sound { timestamp: *timestamp, sound }));
            }
            COMMAND => return self.command(payload),
            // AMF3's commands are AMF0's behind a byte.
            COMMAND_AMF3 => return self.command(payload.get(1..).unwrap_or_default()),
            _ => {}
        }
        Ok(None)
    }

    fn command(&mut self, payload: &[u8]) -> Result<Option<Event>, Error> {
        if payload.len() > Self::MAX_COMMAND {
            return Err(Error::Command("it is too long"));
        }
        let values = amf::read(payload)?;
        let name = values.first().and_then(Value::text).ok_or(Error::Command("it has no name"))?;
        let transaction = values.get(1).and_then(Value::number).unwrap_or(0.0);
        match name {
            "connect" => {
                let app = values.get(2).and_then(|object| object.field("app")).and_then(Value::text);
                self.app = Some(app.unwrap_or_default().trim_matches('/').to_owned());
                self.connected(transaction);
            }
            "createStream" => {
                let stream = Value::Number(f64::from(Self::STREAM));
                self.answer(0, &["_result".into(), Value::Number(transaction), Value::Null, stream]);
            }
            "publish" => {
                if self.stage == Stage::Publishing {
                    return Err(Error::Order("it publishes already"));
                }
                let app = self.app.clone().ok_or(Error::Order("publish before connect"))?;
                let key =
                    values.get(3).and_then(Value::text).ok_or(Error::Command("publish has no stream key"))?;
                self.stage = Stage::Asked;
                return Ok(Some(Event::Publish { app, key: key.to_owned() }));
            }
            "play" => {
                self.status("error", "NetStream.Play.Failed", "nothing is played here; see /stream/<name>");
            }
            "FCUnpublish" | "deleteStream" | "closeStream" if self.stage == Stage::Publishing => {
                self.stage = Stage::Commands;
                return Ok(Some(Event::Finished));
            }
            // releaseStream, FCPublish, _checkbw and others: nobody waits for an answer.
            _ => {}
        }
        Ok(None)
    }

    fn connected(&mut self, transaction: f64) {
        chunk::write(2, WINDOW_SIZE, 0, &Self::WINDOW.to_be_bytes(), &mut self.out);
        let mut bandwidth = Self::WINDOW.to_be_bytes().to_vec();
        bandwidth.push(2);
        chunk::write(2, PEER_BANDWIDTH, 0, &bandwidth, &mut self.out);
        chunk::write(2, SET_CHUNK_SIZE, 0, &chunk::OUR_CHUNK_SIZE.to_be_bytes(), &mut self.out);
        let server =
            Value::object(&[("fmsVer", "FMS/3,0,1,123".into()), ("capabilities", Value::Number(31.0))]);
        let status = Value::object(&[
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "connected".into()),
            ("objectEncoding", Value::Number(0.0)),
        ]);
        self.answer(0, &["_result".into(), Value::Number(transaction), server, status]);
    }

    fn status(&mut self, level: &str, code: &str, description: &str) {
        let status = Value::object(&[
            ("level", level.into()),
            ("code", code.into()),
            ("description", description.into()),
        ]);
        self.answer(Self::STREAM, &["onStatus".into(), Value::Number(0.0), Value::Null, status]);
    }

    fn answer(&mut self, stream: u32, values: &[Value]) {
        chunk::write(3, COMMAND, stream, &amf::write(values), &mut self.out);
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const USER_CONTROL: u8 = 4;
const WINDOW_SIZE: u8 = 5;
const PEER_BANDWIDTH: u8 = 6;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const COMMAND_AMF3: u8 = 17;
const COMMAND: u8 = 20;

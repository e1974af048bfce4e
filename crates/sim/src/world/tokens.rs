//! Access tokens: made, read back and refused.
//!
//! Called by the server. The signature has the shape of the real one and no strength: there is nothing here
//! to protect.

use serde_json::{Value, json};

use super::{Channel, World};
use crate::dice::Dice;
use crate::fault::Fault;

/// A token, and the word that stands for it in the addresses of playlists and segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) signature: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Missing, for another channel, or changed.
    Forged,
    Expired,
    /// Given out before the channel's tokens were revoked.
    Revoked,
}

impl World {
    pub(crate) fn token(&self, channel: &Channel) -> Token {
        let now = self.now();
        let banned = matches!(channel.look(now).fault.map(|spell| spell.fault), Some(Fault::Banned {}));
        let expires = now / 1000 + self.settings().token_life.as_secs();
        let value = json!({
            "adblock": false,
            "authorization": { "forbidden": banned, "reason": if banned { "CHANNEL_BANNED" } else { "" } },
            "channel": channel.name,
            "channel_id": channel.id,
            "expires": expires,
            "hide_ads": false,
            "https_required": false,
            "generation": channel.generation(now),
            "platform": "web",
            "player_type": "embed",
            "version": 2,
        })
        .to_string();
        let signature = self.sign(&value);
        Token { value, signature }
    }

    /// Checks a token; gives the word for it.
    pub(crate) fn admit(&self, channel: &Channel, value: &str, signature: &str) -> Result<String, Refusal> {
        if signature != self.sign(value) {
            return Err(Refusal::Forged);
        }
        let token: Value = serde_json::from_str(value).map_err(|_| Refusal::Forged)?;
        let (Some(generation), Some(expires)) = (token["generation"].as_u64(), token["expires"].as_u64())
        else {
            return Err(Refusal::Forged);
        };
        if token["channel"] != channel.name.as_str() {
            return Err(Refusal::Forged);
        }
        let now = self.now();
        if now / 1000 >= expires {
            return Err(Refusal::Expired);
        }
        if generation != channel.generation(now) {
            return Err(Refusal::Revoked);
        }
        Ok(format!("{generation}-{}", self.check(channel, generation)))
    }

    /// Checks the word in a playlist's or segment's address.
    pub(crate) fn admit_word(&self, channel: &Channel, word: &str) -> Result<(), Refusal> {
        let (generation, check) = word.split_once('-').ok_or(Refusal::Forged)?;
        let generation: u64 = generation.parse().map_err(|_| Refusal::Forged)?;
        if check != self.check(channel, generation) {
            return Err(Refusal::Forged);
        }
        if generation == channel.generation(self.now()) { Ok(()) } else { Err(Refusal::Revoked) }
    }

    fn check(&self, channel: &Channel, generation: u64) -> String {
        self.sign(&format!("{generation} {}", channel.name))[..12].to_owned()
    }

    /// Forty hexadecimal digits.
    fn sign(&self, text: &str) -> String {
        let mut dice = Dice::new(self.settings().seed, text, 0x51);
        format!("{:016x}{:016x}{:08x}", dice.roll(), dice.roll(), dice.roll() >> 32)
    }
}

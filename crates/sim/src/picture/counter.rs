//! A frame number that a machine can read back from the pixels.
//!
//! A row of black and white blocks along the bottom edge: two guard blocks, 32 bits of the number, 16 bits of
//! check, two guard blocks. Written into every test picture; read by the tests that prove that no frame was
//! lost, repeated or swapped on its way. Blocks are read by their middle against the guards, so JPEG, H.264
//! and a change of range do not matter; a change of width does not either.

use pixels::I420;

use super::canvas::{Area, Canvas, rgb};

const NUMBER_BITS: u32 = 32;
const CHECK_BITS: u32 = 16;
const GUARDS: u32 = 2;
const BLOCKS: u32 = NUMBER_BITS + CHECK_BITS + 2 * GUARDS;

/// Narrower pictures have blocks that coding blurs into each other.
const LEAST_WIDTH: u32 = BLOCKS * 3;

/// Least difference of luma between the white and black guards.
const LEAST_CONTRAST: u32 = 60;

/// Rows the counter takes up at the bottom of a picture of this height: a thirtieth, at least 8 (one block of
/// JPEG), even.
pub(super) fn strip_height(height: u32) -> u32 {
    (height / 30).max(8).next_multiple_of(2).min(height)
}

pub(super) fn draw(canvas: &mut Canvas<'_>, number: u32) {
    let (width, height) = (canvas.picture.width, canvas.picture.height);
    let top = (height - strip_height(height)).cast_signed();
    for block in 0..BLOCKS {
        let edge = |n: u32| (n * width / BLOCKS).cast_signed();
        let colour = if is_white(block, number) { rgb(255, 255, 255) } else { rgb(0, 0, 0) };
        canvas.fill(Area(edge(block), top, edge(block + 1), height.cast_signed()), colour);
    }
}

/// The number drawn into `picture`, `None` when it carries none or it is damaged.
///
/// A picture that never had one is taken for one with a chance of about one in 2^20 at worst (guards and
/// check by accident). Needs 156 pixels of width.
#[must_use]
pub fn read_counter(picture: &I420) -> Option<u32> {
    if picture.width < LEAST_WIDTH || picture.height < 8 {
        return None;
    }
    let luma: Vec<u32> = (0..BLOCKS).map(|block| middle_luma(picture, block)).collect();
    let [first, second, .., before_last, last] = luma[..] else { return None };
    let (white, black) = (first.min(last), second.max(before_last));
    if white < black + LEAST_CONTRAST {
        return None;
    }
    // A block in the middle third between black and white is damage, not a bit.
    let third = (white - black) / 3;
    let mut bits = 0_u64;
    for &luma in &luma[GUARDS as usize..(BLOCKS - GUARDS) as usize] {
        let bit = match luma {
            dark if dark < black + third => 0,
            light if light > white - third => 1,
            _ => return None,
        };
        bits = bits << 1 | bit;
    }
    let number = u32::try_from(bits >> CHECK_BITS).ok()?;
    (bits & 0xffff == u64::from(check(number))).then_some(number)
}

/// Guards are white, black … black, white.
fn is_white(block: u32, number: u32) -> bool {
    let bits = u64::from(number) << CHECK_BITS | u64::from(check(number));
    match block {
        0 => true,
        1 => false,
        _ if block == BLOCKS - 1 => true,
        _ if block == BLOCKS - 2 => false,
        _ => bits >> (BLOCKS - GUARDS - 1 - block) & 1 == 1,
    }
}

/// Mean luma of the inner half of a block, across and down.
fn middle_luma(picture: &I420, block: u32) -> u32 {
    let strip = strip_height(picture.height);
    let (left, right) = (block * picture.width / BLOCKS, (block + 1) * picture.width / BLOCKS);
    let inset = (right - left) / 4;
    let columns = (left + inset) as usize..(right - inset) as usize;
    let rows = picture.height - strip * 3 / 4..picture.height - strip / 4;
    let (mut sum, mut count) = (0_u32, 0_u32);
    for y in rows {
        for &sample in &picture.y.row(y)[columns.clone()] {
            sum += u32::from(sample);
            count += 1;
        }
    }
    sum / count.max(1)
}

fn check(number: u32) -> u16 {
    crc(&number.to_be_bytes())
}

/// CRC-16/CCITT-FALSE: polynomial 1021, start FFFF.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte) << 8,
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_published_crc() {
        assert_eq!(crc(b"123456789"), 0x29b1);
    }
}

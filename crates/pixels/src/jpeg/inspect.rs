//! Decides, without decoding, whether bytes are one whole JPEG that we take.
//!
//! Called for every pushed frame, so it makes one pass with `memchr` and allocates nothing. It refuses by
//! name what the decoder or a browser could not show, and what no honest encoder writes. It never looks into
//! Huffman-coded data beyond finding its end.

use super::markers::{Marker, Markers, Stop, code};
use super::{Header, Refusal, Sampling, exif};

/// More scans than this is an attack on the decoder's time, not a picture: the longest progressive scripts in
/// use have fewer than 30.
pub(super) const MAX_SCANS: u32 = 100;

/// Reads the header of `bytes` and makes sure that the whole picture is there.
///
/// Whole means: start of image, a frame of a kind we decode, a scan for each component with at least as many
/// bytes as its blocks need, and an end-of-image marker. `max_side` is the most pixels allowed in either
/// direction.
///
/// # Errors
/// The first [`Refusal`] met.
pub fn inspect(bytes: &[u8], max_side: u16) -> Result<Header, Refusal> {
    match bytes {
        [] => return Err(Refusal::Empty),
        [0xff, code::SOI] | [0xff, code::SOI, 0xff, ..] => {}
        _ => return Err(Refusal::NotJpeg),
    }
    let mut markers = Markers::after_soi(bytes);
    let mut found = Found::default();
    loop {
        let marker = markers.next()?;
        match marker.code {
            code::EOI => return found.finish(markers.position()),
            code::SOS => {
                found.scan(&marker)?;
                let entropy = markers.skip_entropy().ok_or(Refusal::CutShort)?;
                found.entropy_bytes = found.entropy_bytes.saturating_add(entropy as u64);
            }
            _ => found.segment(&marker, max_side)?,
        }
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::End => Self::CutShort,
            Stop::BadLength => Self::Malformed("a segment is shorter than its own length field"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Component {
    id: u8,
    across: u8,
    down: u8,
    table: u8,
    /// A scan has carried its DC coefficients.
    coded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    count: u8,
    components: [Component; 4],
}

/// What the walk has seen so far.
#[derive(Default)]
struct Found {
    frame: Option<Frame>,
    orientation: Option<u8>,
    adobe_transform: Option<u8>,
    huffman_tables: bool,
    quantisation_tables: u8,
    first_scan: Option<usize>,
    scans: u32,
    entropy_bytes: u64,
}

impl Found {
    fn segment(&mut self, marker: &Marker<'_>, max_side: u16) -> Result<(), Refusal> {
        let unsupported = match marker.code {
            code::SOF0..=code::SOF2 => return self.start_of_frame(marker, max_side),
            code::DQT => return self.quantisation(marker.payload),
            code::DHT => {
                self.huffman_tables |= self.first_scan.is_none();
                return Ok(());
            }
            code::APP1 => {
                self.orientation = self.orientation.or_else(|| exif::orientation(marker.payload));
                return Ok(());
            }
            code::APP14 => {
                if let Some(&[.., transform]) = marker.payload.first_chunk::<12>()
                    && marker.payload.starts_with(b"Adobe")
                {
                    self.adobe_transform = Some(transform);
                }
                return Ok(());
            }
            code::TEM
            | code::RST0..=code::RST7
            | code::DRI
            | code::DAC
            | code::APP0..=code::APP15
            | code::COM => {
                return Ok(());
            }
            code::SOI => return Err(Refusal::Malformed("a second picture starts inside the first")),
            code::SOF3 => "lossless coding",
            code::SOF9..=code::SOF11 => "arithmetic coding",
            code::SOF5..=code::SOF7 | code::SOF13..=code::SOF15 | code::DHP | code::EXP => {
                "hierarchical coding"
            }
            code::DNL => "a height that follows the picture (DNL)",
            code::JPG => "a JPEG extension",
            _ => return Err(Refusal::Malformed("it has an unknown marker")),
        };
        Err(Refusal::Unsupported(unsupported))
    }

    /// T.81 B.2.2.
    fn start_of_frame(&mut self, marker: &Marker<'_>, max_side: u16) -> Result<(), Refusal> {
        if self.frame.is_some() {
            return Err(Refusal::Malformed("it has two frame headers"));
        }
        let Some((&[precision, h1, h0, w1, w0, count], parameters)) = marker.payload.split_first_chunk()
        else {
            return Err(Refusal::Malformed("its frame header is too short"));
        };
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        match precision {
            8 => {}
            12 => return Err(Refusal::Unsupported("12-bit samples")),
            _ => return Err(Refusal::Unsupported("samples that are not 8 bits")),
        }
        if width == 0 {
            return Err(Refusal::Malformed("its width is 0"));
        }
        if height == 0 {
            return Err(Refusal::Unsupported("a height that follows the picture (DNL)"));
        }
        if width > max_side || height > max_side {
            return Err(Refusal::TooManyPixels { width, height, max_side });
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Refusal::Unsupported("a number of colour components other than 1, 3 or 4"));
        }
        if parameters.len() != usize::from(count) * 3 {
            return Err(Refusal::Malformed("its frame header has the wrong length"));
        }
        let mut components = [Component::default(); 4];
        for (component, parameters) in components.iter_mut().zip(parameters.chunks_exact(3)) {
            *component = Component {
                id: parameters[0],
                across: parameters[1] >> 4,
                down: parameters[1] & 15,
                table: parameters[2],
                coded: false,
            };
        }
        let frame = Frame { width, height, progressive: marker.code == code::SOF2, count, components };
        frame.check()?;
        self.frame = Some(frame);
        Ok(())
    }

    /// Notes which quantisation tables are there (T.81 B.2.4.1).
    fn quantisation(&mut self, mut payload: &[u8]) -> Result<(), Refusal> {
        while let [head, rest @ ..] = payload {
            let size = if head >> 4 == 0 { 64 } else { 128 };
            if head & 15 > 3 || rest.len() < size {
                return Err(Refusal::Malformed("a quantisation table is broken"));
            }
            self.quantisation_tables |= 1 << (head & 15);
            payload = &rest[size..];
        }
        Ok(())
    }

    /// T.81 B.2.3 and G.1.1.1.1.
    fn scan(&mut self, marker: &Marker<'_>) -> Result<(), Refusal> {
        const BROKEN: Refusal = Refusal::Malformed("a scan header is broken");
        let frame =
            self.frame.as_mut().ok_or(Refusal::Malformed("its picture comes before its frame header"))?;
        self.first_scan.get_or_insert(marker.at);
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(Refusal::Unsupported("more than 100 scans"));
        }
        let (&count, rest) = marker.payload.split_first().ok_or(BROKEN)?;
        if !(1..=frame.count).contains(&count) {
            return Err(BROKEN);
        }
        let (selectors, parameters) = rest.split_at_checked(usize::from(count) * 2).ok_or(BROKEN)?;
        let &[first, last, approximation] = parameters else { return Err(BROKEN) };
        if frame.progressive && !allowed_progression(count, first, last, approximation) {
            return Err(BROKEN);
        }
        let mut blocks = 0;
        let mut seen = 0_u8;
        for selector in selectors.chunks_exact(2) {
            let index = frame.active().iter().position(|c| c.id == selector[0]).ok_or(BROKEN)?;
            if seen & (1 << index) != 0 {
                return Err(BROKEN);
            }
            seen |= 1 << index;
            let component = &mut frame.components[index];
            if self.quantisation_tables & (1 << component.table) == 0 {
                return Err(Refusal::Malformed("a quantisation table is missing"));
            }
            component.coded |= !frame.progressive || (first == 0 && approximation >> 4 == 0);
            blocks += component.across * component.down;
        }
        // T.81 B.2.3 allows at most ten blocks in an interleaved unit, and decoders keep room for no more.
        if count > 1 && blocks > 10 { Err(BROKEN) } else { Ok(()) }
    }

    fn finish(&self, len: usize) -> Result<Header, Refusal> {
        let (Some(frame), Some(first_scan)) = (&self.frame, self.first_scan) else {
            return Err(Refusal::Malformed("it has no picture"));
        };
        let all_coded = frame.active().iter().all(|component| component.coded);
        if !all_coded || self.entropy_bytes.saturating_mul(8) < frame.least_bits() {
            return Err(Refusal::CutShort);
        }
        Ok(Header {
            width: frame.width,
            height: frame.height,
            components: frame.count,
            sampling: frame.sampling(),
            progressive: frame.progressive,
            huffman_tables: self.huffman_tables,
            orientation: self.orientation.unwrap_or(1),
            len,
            first_scan,
            adobe_transform: self.adobe_transform,
        })
    }
}

impl Frame {
    fn active(&self) -> &[Component] {
        &self.components[..usize::from(self.count)]
    }

    /// Largest sampling factors across and down.
    fn largest(&self) -> (u8, u8) {
        self.active().iter().fold((1, 1), |(across, down), c| (across.max(c.across), down.max(c.down)))
    }

    fn check(&self) -> Result<(), Refusal> {
        let (most_across, most_down) = self.largest();
        for (index, component) in self.active().iter().enumerate() {
            if !(1..=4).contains(&component.across)
                || !(1..=4).contains(&component.down)
                || component.table > 3
            {
                return Err(Refusal::Malformed(
                    "its frame header has an impossible sampling factor or table",
                ));
            }
            if !most_across.is_multiple_of(component.across) || !most_down.is_multiple_of(component.down) {
                return Err(Refusal::Unsupported("sampling factors that do not divide one another"));
            }
            if self.active()[..index].iter().any(|earlier| earlier.id == component.id) {
                return Err(Refusal::Malformed("two of its colour components have the same name"));
            }
        }
        Ok(())
    }

    /// Fewest bits any encoder could write for this frame.
    ///
    /// A block's DC difference takes at least a one-bit code, and in sequential mode its end-of-block
    /// another; in progressive mode the AC scans may cover any number of blocks with one code. Keeps a header
    /// of a few hundred bytes from costing the decoder a picture of the largest size.
    fn least_bits(&self) -> u64 {
        let (most_across, most_down) = self.largest();
        let side = |pixels: u16, factor: u8, most: u8| {
            (u64::from(pixels) * u64::from(factor)).div_ceil(u64::from(most)).div_ceil(8)
        };
        let blocks: u64 = self
            .active()
            .iter()
            .map(|c| side(self.width, c.across, most_across) * side(self.height, c.down, most_down))
            .sum();
        if self.progressive { blocks } else { blocks * 2 }
    }

    fn sampling(&self) -> Sampling {
        let [luma, u, v, _] = &self.components;
        if self.count == 1 {
            return Sampling::Grey;
        }
        if (u.across, u.down) != (v.across, v.down) || !luma.across.is_multiple_of(u.across) {
            return Sampling::Other;
        }
        match (luma.across / u.across, luma.down / u.down, luma.down % u.down) {
            (1, 1, 0) => Sampling::S444,
            (2, 1, 0) => Sampling::S422,
            (1, 2, 0) => Sampling::S440,
            (2, 2, 0) => Sampling::S420,
            (4, 1, 0) => Sampling::S411,
            (1, 4, 0) => Sampling::S441,
            (4, 2, 0) => Sampling::S410,
            _ => Sampling::Other,
        }
    }
}

/// Whether a progressive scan's parameters are ones a decoder takes (T.81 G.1.1.1.1).
fn allowed_progression(count: u8, first: u8, last: u8, approximation: u8) -> bool {
    let (high, low) = (approximation >> 4, approximation & 15);
    let band = if first == 0 { last == 0 } else { first <= last && last <= 63 && count == 1 };
    band && low <= 13 && (high == 0 || high == low + 1)
}

//! AMF0: the values commands are made of. Reads no deeper and no more than a command needs.

use super::Error;

/// Objects within objects.
const MAX_DEPTH: usize = 8;
/// Values of one command.
const MAX_VALUES: usize = 512;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    /// Objects and associative arrays, in their order.
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
    /// Also undefined, and a date, which nothing here needs.
    Null,
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(super) fn object(fields: &[(&str, Self)]) -> Self {
        Self::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// All values of a message.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    let mut reader = Reader { bytes, left: MAX_VALUES };
    let mut values = Vec::new();
    while !reader.bytes.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

pub(super) fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| write_value(value, &mut out));
    out
}

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;

struct Reader<'a> {
    bytes: &'a [u8],
    /// Values that may still come.
    left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::Command("too many values"))?;
        if depth > MAX_DEPTH {
            return Err(Error::Command("too deep"));
        }
        let [kind] = self.array()?;
        Ok(match kind {
            NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            BOOLEAN => Value::Boolean(self.array()? != [0]),
            STRING => Value::Text(self.short_text()?),
            LONG_STRING => {
                let length = usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX);
                Value::Text(self.text(length)?)
            }
            OBJECT => Value::Object(self.fields(depth)?),
            ECMA_ARRAY => {
                // The count that stands here is a hint, and often wrong.
                self.array::<4>()?;
                Value::Object(self.fields(depth)?)
            }
            STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.array()?);
                Value::List((0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>()?)
            }
            DATE => {
                self.array::<10>()?;
                Value::Null
            }
            NULL | UNDEFINED => Value::Null,
            _ => return Err(Error::Command("a value of an unknown type")),
        })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Error> {
        let mut fields = Vec::new();
        loop {
            let name = self.short_text()?;
            if name.is_empty() && self.bytes.first() == Some(&OBJECT_END) {
                self.bytes = &self.bytes[1..];
                return Ok(fields);
            }
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn short_text(&mut self) -> Result<String, Error> {
        let length = u16::from_be_bytes(self.array()?);
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Result<String, Error> {
        let bytes = self.take(length)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        Ok(self.take(N)?.try_into().expect("that many were taken"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Error::Command("it is cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend(number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend([BOOLEAN, u8::from(*boolean)]),
        Value::Text(text) => {
            out.push(STRING);
            write_text(text, out);
        }
        Value::Object(fields) => {
            out.push(OBJECT);
            for (name, value) in fields {
                write_text(name, out);
                write_value(value, out);
            }
            out.extend([0, 0, OBJECT_END]);
        }
        Value::List(values) => {
            out.push(STRICT_ARRAY);
            out.extend(u32::try_from(values.len()).unwrap_or(u32::MAX).to_be_bytes());
            values.iter().for_each(|value| write_value(value, out));
        }
        Value::Null => out.push(NULL),
    }
}

/// Cut at 65,535 bytes: we send no longer ones.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(&text.as_bytes()[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let values = vec![
            Value::from("connect"),
            Value::Number(-1.5),
            Value::object(&[("app", "live".into()), ("deep", Value::object(&[("x", Value::Null)]))]),
            Value::Boolean(true),
            Value::List(vec![Value::Number(1.0), "".into()]),
        ];
        assert_eq!(read(&write(&values)).unwrap(), values);
        assert_eq!(values[2].field("app").and_then(Value::text), Some("live"));
    }

    #[test]
    fn what_is_cut_too_deep_or_too_much_is_refused() {
        let nested = |depth: usize| [OBJECT, 0, 1, b'x'].repeat(depth);
        let list = |count: u32| [[STRICT_ARRAY].as_slice(), &count.to_be_bytes(), &[NULL; 600]].concat();
        for (bytes, why) in [
            (vec![NUMBER, 0], "it is cut short"),
            (vec![STRING, 0xff, 0xff, b'x'], "it is cut short"),
            (vec![LONG_STRING, 0xff, 0xff, 0xff, 0xff], "it is cut short"),
            (vec![OBJECT], "it is cut short"),
            (vec![0x42], "a value of an unknown type"),
            (nested(5), "it is cut short"),
            (nested(100_000), "too deep"),
            (list(550), "too many values"),
            (list(u32::MAX), "too many values"),
            (vec![NULL; 600], "too many values"),
        ] {
            assert_eq!(read(&bytes), Err(Error::Command(why)));
        }
    }
}

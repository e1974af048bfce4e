//! The three ways a type of the scene is declared: a record of fields, a choice of records, an enum of words.

/// Declares a struct: for each field its name, its name in JSON, its type, default and rule.
///
/// `checked by f` names a function that looks at the whole once all fields are read.
macro_rules! record {
    (
        $(#[doc = $about:literal])*
        $(#[derive($derived:ident)])?
        pub struct $name:ident $(checked by $whole:path)? {
            $($(#[doc = $doc:literal])* $field:ident $json:literal: $type:ty = $default:expr, $rule:expr;)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq $(, $derived)?)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::read::Record for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($about, "\n"),*).trim_ascii();

            fn shapes(schemas: &mut $crate::read::Schemas) -> Vec<$crate::read::Shape> {
                let shape = $crate::read::Shape::new(String::new());
                let default = Self::default();
                $(let shape = shape.field::<$type, _>(schemas, $json, &[$($doc),*], &$rule, &default.$field);)*
                let _ = (schemas, default);
                vec![shape]
            }

            fn read_fields<'v>(
                &mut self,
                object: &'v serde_json::Map<String, serde_json::Value>,
                but: &[&str],
                at: &mut $crate::read::At<'v>,
            ) {
                for (key, value) in object {
                    let _ = value;
                    match key.as_str() {
                        $($json => at.key(key, |at| {
                            if value.is_null() {
                                self.$field = $default;
                            } else {
                                $crate::read::Rule::<$type>::read(&$rule, &mut self.$field, value, at);
                            }
                        }),)*
                        other if but.contains(&other) => {}
                        _ => at.key(key, |at| at.unknown(&[$($json),*])),
                    }
                }
                if at.is_fresh() {
                    $(if object.get($json).is_none_or(serde_json::Value::is_null) {
                        at.key($json, |at| $crate::read::Rule::<$type>::missing(&$rule, at));
                    })*
                }
            }

            fn check_fields(&self, at: &mut $crate::read::At<'_>) {
                $(at.key($json, |at| $crate::read::Rule::<$type>::check(&$rule, &self.$field, at));)*
                $($whole(self, at);)?
                let _ = at;
            }

            fn slot_in<'t>(&'t mut self, path: &[Box<str>]) -> Option<$crate::read::Slot<'t>> {
                let (first, rest) = path.split_first()?;
                match &**first {
                    $($json => $crate::read::Rule::<$type>::slot(&$rule, &mut self.$field, rest),)*
                    _ => {
                        let _ = rest;
                        None
                    }
                }
            }

            fn entries<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(if !$crate::read::Rule::<$type>::absent(&$rule, &self.$field) {
                    map.serialize_entry($json, &self.$field)?;
                })*
                let _ = map;
                Ok(())
            }
        }

        $crate::read::written!($name);
    };
}

/// Declares an enum of records, told apart by the word in the field `by`.
///
/// A patch that names another word starts anew from that record's defaults.
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident by $tag:literal {
            $($(#[doc = $doc:literal])* $variant:ident($inner:ty) $word:literal,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($(#[doc = $doc])* $variant($inner),)*
        }

        impl $name {
            /// Every word that tells which it is.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word that tells which it is.
            #[must_use]
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $word,)*
                }
            }

            fn named(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant(<$inner>::default())),)*
                    _ => None,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::named(Self::WORDS[0]).expect("the first word is one of the words")
            }
        }

        impl $crate::read::Choice for $name {
            const TAG: &'static str = $tag;
            const ALL: &'static [&'static str] = Self::WORDS;
        }

        impl $crate::read::Record for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($about, "\n"),*).trim_ascii();

            fn shapes(schemas: &mut $crate::read::Schemas) -> Vec<$crate::read::Shape> {
                let mut shapes = Vec::new();
                $(for mut shape in <$inner as $crate::read::Record>::shapes(schemas) {
                    if shape.about.is_empty() {
                        let own = $crate::read::joined(&[$($doc),*]);
                        let inner = <$inner as $crate::read::Record>::ABOUT;
                        shape.about = if own.is_empty() { $crate::read::joined(&[inner]) } else { own };
                    }
                    shape.properties.insert($tag.to_owned(), serde_json::json!({ "const": $word }));
                    shape.required.insert(0, $tag);
                    shapes.push(shape);
                })*
                shapes
            }

            fn read_fields<'v>(
                &mut self,
                object: &'v serde_json::Map<String, serde_json::Value>,
                but: &[&str],
                at: &mut $crate::read::At<'v>,
            ) {
                let word = object.get($tag).map(|word| word.as_str().unwrap_or_default());
                let other = match word {
                    None if at.is_fresh() => {
                        return $crate::read::Rule::<Self>::missing(&$crate::read::Chosen, at);
                    }
                    None => None,
                    Some(word) if word == self.word() => None,
                    Some(word) => match Self::named(word) {
                        Some(other) => Some(other),
                        None => {
                            at.wrong_in($tag, format!("must be one of {}", Self::WORDS.join(", ")));
                            return at.spoil();
                        }
                    },
                };
                let mut but = but.to_vec();
                but.push($tag);
                let anew = other.is_some();
                if let Some(other) = other {
                    *self = other;
                }
                let mut read = |at: &mut $crate::read::At<'v>| match self {
                    $(Self::$variant(inner) => $crate::read::Record::read_fields(inner, object, &but, at),)*
                };
                if anew { at.anew(read) } else { read(at) }
            }

            fn check_fields(&self, at: &mut $crate::read::At<'_>) {
                match self {
                    $(Self::$variant(inner) => $crate::read::Record::check_fields(inner, at),)*
                }
            }

            fn slot_in<'t>(&'t mut self, path: &[Box<str>]) -> Option<$crate::read::Slot<'t>> {
                match self {
                    $(Self::$variant(inner) => $crate::read::Record::slot_in(inner, path),)*
                }
            }

            fn entries<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                map.serialize_entry($tag, self.word())?;
                match self {
                    $(Self::$variant(inner) => $crate::read::Record::entries(inner, map),)*
                }
            }
        }

        $crate::read::written!($name);
    };
}

/// Declares an enum that JSON writes as a word. The first is the default.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(#[$first_doc:meta])* $first:ident $first_word:literal,
            $($(#[$doc:meta])* $variant:ident $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// As JSON writes it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::read::Words for $name {
            const ALL: &'static [(&'static str, Self)] =
                &[($first_word, Self::$first), $(($word, Self::$variant)),*];
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

/// Writes a record or a choice as an object.
macro_rules! written {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $crate::read::Record::entries(self, &mut map)?;
                map.end()
            }
        }
    };
}

pub(crate) use {choice, record, words, written};

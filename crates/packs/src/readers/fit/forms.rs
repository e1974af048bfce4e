//! Which rows of letters a pattern allows, digits being alike: `d:dd`, `dd:dd`.
//!
//! Made once for a reader. A pattern can only be asked about whole texts, so those are tried that a line of few small letters
//! can be.

/// Letters of the longest line that is fitted.
const LONGEST: usize = 8;
/// Letters among them that are no digits.
const MARKS: usize = 2;

/// A tree of beginnings: the first is the empty one, and each comes after the one it goes on from.
#[derive(Clone, Debug)]
pub(in super::super) struct Forms {
    pub(super) steps: Vec<Step>,
}

/// A beginning of lines: another one and a letter more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) before: usize,
    /// `None` is any digit.
    pub(super) mark: Option<char>,
    /// Whether a line may end here.
    pub(super) ends: bool,
}

impl Forms {
    /// All forms of digits and `marks` that some text of has which `matches`.
    pub(in super::super) fn new(marks: &[char], matches: &dyn Fn(&str) -> bool) -> Self {
        let mut forms = Self { steps: vec![Step { before: 0, mark: None, ends: false }] };
        forms.grow(&mut Vec::new(), marks, matches);
        forms
    }

    fn grow(&mut self, form: &mut Vec<Option<char>>, marks: &[char], matches: &dyn Fn(&str) -> bool) {
        let fits = |digit: char| matches(&form.iter().map(|mark| mark.unwrap_or(digit)).collect::<String>());
        if !form.is_empty() && ('0'..='9').any(fits) {
            self.add(form);
        }
        if form.len() == LONGEST {
            return;
        }
        let more = form.iter().flatten().count() < MARKS;
        for mark in std::iter::once(None).chain(marks.iter().copied().filter(|_| more).map(Some)) {
            form.push(mark);
            self.grow(form, marks, matches);
            form.pop();
        }
    }

    fn add(&mut self, form: &[Option<char>]) {
        let mut at = 0;
        for mark in form {
            let known = |step: &Step| step.before == at && step.mark == *mark;
            at = match self.steps.iter().skip(1).position(known) {
                Some(number) => number + 1,
                None => {
                    self.steps.push(Step { before: at, mark: *mark, ends: false });
                    self.steps.len() - 1
                }
            };
        }
        self.steps[at].ends = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_that_some_text_of_the_pattern_has() {
        let clock = |text: &str| {
            let (minutes, seconds) = text.split_once(':').unwrap_or_default();
            (1..=2).contains(&minutes.len())
                && seconds.len() == 2
                && minutes.chars().chain(seconds.chars()).all(|letter| letter.is_ascii_digit())
                && seconds < "60"
        };
        let forms = Forms::new(&[':'], &clock);
        let spelled = |mut at: usize| {
            let mut form = String::new();
            while at > 0 {
                form.insert(0, forms.steps[at].mark.unwrap_or('d'));
                at = forms.steps[at].before;
            }
            form
        };
        let ends = (0..forms.steps.len()).filter(|step| forms.steps[*step].ends).map(spelled);
        let mut ends: Vec<String> = ends.collect();
        ends.sort();
        assert_eq!(ends, ["d:dd", "dd:dd"]);
        assert!(forms.steps.iter().enumerate().skip(1).all(|(number, step)| step.before < number));
        assert_eq!(Forms::new(&[], &|_| false).steps.len(), 1);
    }
}

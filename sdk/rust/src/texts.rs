//! Texts as they cross to the host: one string and where each text ends, whatever their number.

use crate::host::Texts;

/// Puts texts into columns.
pub(crate) fn columns<T: AsRef<str>>(texts: &[T]) -> Texts {
    let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
    let (mut ends, mut data) = (Vec::with_capacity(texts.len()), String::with_capacity(bytes));
    for text in texts {
        data.push_str(text.as_ref());
        ends.push(data.len() as u32);
    }
    Texts { ends, data }
}

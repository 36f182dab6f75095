//! What `dev` prints about the flow: before and after, span by span, of things that look different from each other.

use super::stage::Seen;
use crate::cli::plugin::cases::{Sign, word};
use crate::cli::plugin::paint::Paint;

/// Things that are shown after a swap.
const THINGS_MAX: usize = 6;
/// Lines of one thing that are shown.
const LINES_MAX: usize = 12;

/// The lines about what the running version does.
pub(super) fn lines(seen: &Seen, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(error) = &seen.failed {
        lines.push(format!("  {}", paint.red(&format!("the plugin fails: {error}"))));
    }
    if seen.decided.is_empty() {
        diff(seen, paint, &mut lines)
    } else {
        decisions(seen, paint, &mut lines)
    }
    lines
}

fn diff(seen: &Seen, paint: Paint, lines: &mut Vec<String>) {
    let dropped = seen.changed.iter().filter(|(_, lines)| lines.iter().any(|line| line.sign == Sign::Dropped)).count();
    let changed = seen.changed.len() - dropped;
    lines.push(format!("  of {} items: {changed} changed, {dropped} dropped", seen.items));
    if seen.changed.is_empty() {
        lines.push(paint.dim("  nothing of what the plugin asks for was in them, or it left it as it is"));
    }
    // One of each sort: twenty spans of which the same attribute was removed say no more than one.
    let mut shown: Vec<Vec<(char, &str)>> = Vec::new();
    for (thing, changes) in &seen.changed {
        let key = |text: &str| text.len().min(text.find(' ').unwrap_or(text.len()));
        let sort: Vec<(char, &str)> = changes
            .iter()
            .map(|line| (sign(line.sign), line.text.get(..key(&line.text)).unwrap_or_default()))
            .collect();
        if shown.len() >= THINGS_MAX || shown.contains(&sort) {
            continue;
        }
        shown.push(sort);
        if let [only] = changes.as_slice()
            && matches!(only.sign, Sign::Dropped | Sign::New)
        {
            let painted = if only.sign == Sign::Dropped { paint.red("dropped") } else { paint.green("new") };
            lines.push(format!("  {} {painted}", paint.bold(thing)));
            continue;
        }
        lines.push(format!("  {}", paint.bold(thing)));
        for line in changes.iter().take(LINES_MAX) {
            let text = format!("{} {}", sign(line.sign), line.text);
            lines.push(format!(
                "    {}",
                match line.sign {
                    Sign::Added | Sign::New => paint.green(&text),
                    Sign::Removed | Sign::Dropped => paint.red(&text),
                    Sign::Changed => paint.yellow(&text),
                }
            ));
        }
        if changes.len() > LINES_MAX {
            lines.push(format!("    and {} more", changes.len() - LINES_MAX));
        }
    }
}

fn sign(sign: Sign) -> char {
    match sign {
        Sign::Added | Sign::New => '+',
        Sign::Removed | Sign::Dropped => '-',
        Sign::Changed => '~',
    }
}

fn decisions(seen: &Seen, paint: Paint, lines: &mut Vec<String>) {
    let counts: Vec<String> = seen.decisions().iter().map(|(decision, count)| format!("{count} {decision}")).collect();
    lines.push(format!("  of {} traces: {}", seen.decided.len(), counts.join(", ")));
    for (decision, _) in seen.decisions() {
        for (title, _) in seen.decided.iter().filter(|(_, found)| word(*found) == decision).take(2) {
            let painted = if decision == "sample" { paint.green(decision) } else { paint.red(decision) };
            lines.push(format!("  trace {title}: {painted}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plugin::cases::Line;
    use tailrace_columns::Decision;

    fn change(thing: &str, sign: Sign, text: &str) -> (String, Vec<Line>) {
        (thing.to_owned(), vec![Line { thing: thing.to_owned(), sign, text: text.to_owned() }])
    }

    /// Things that look the same are shown once, whatever their values.
    #[test]
    fn one_of_each_sort_is_shown() {
        let seen = Seen {
            items: 40,
            changed: vec![
                change("span \"a\"", Sign::Changed, "user.email \"x\" -> \"*\""),
                change("span \"b\"", Sign::Changed, "user.email \"y\" -> \"*\""),
                change("span \"c\"", Sign::Dropped, ""),
                change("span \"d\"", Sign::Added, "team \"shop\""),
            ],
            ..Seen::default()
        };
        let expected = [
            "  of 40 items: 3 changed, 1 dropped",
            "  span \"a\"",
            "    ~ user.email \"x\" -> \"*\"",
            "  span \"c\" dropped",
            "  span \"d\"",
            "    + team \"shop\"",
        ];
        assert_eq!(lines(&seen, Paint::plain()), expected);
    }

    #[test]
    fn decisions_are_counted_and_shown() {
        let decided = [Decision::Sample(None), Decision::NotSampled, Decision::NotSampled, Decision::NotSampled];
        let decided = decided.into_iter().zip(1..).map(|(decision, number)| (format!("{number}"), decision)).collect();
        let seen = Seen { items: 9, decided, failed: Some("it trapped".to_owned()), ..Seen::default() };
        let expected = [
            "  the plugin fails: it trapped",
            "  of 4 traces: 3 not-sampled, 1 sample",
            "  trace 2: not-sampled",
            "  trace 3: not-sampled",
            "  trace 1: sample",
        ];
        assert_eq!(lines(&seen, Paint::plain()), expected);
    }
}

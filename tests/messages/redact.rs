//! What differs from run to run and machine to machine, replaced by words in brackets.

/// Redacts what a command said in the scene of this folder.
pub fn redacted(text: &str, folder: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim();
    let mut text = text.to_owned();
    // How deep the scene lies is this machine's.
    for above in std::path::Path::new(folder).ancestors().skip(1) {
        text = text.replace(&format!(", {}", above.join("deploylock.toml").display()), "");
    }
    let text = text
        .replace(folder, "[DIR]")
        .replace(&format!("tester@{host}"), "[OWNER]")
        .replace(&format!("on {host} "), "on [HOST] ");
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n")
}

fn line(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    // Spaces are kept: where a column begins is part of a message.
    for piece in text.split(' ') {
        let before = words.iter().rev().find(|word| !word.is_empty()).map(String::as_str);
        let new = word(piece, before.unwrap_or_default(), text.contains("examples"));
        let merged = new.starts_with("[AGE]") && before == Some("[AGE]");
        if merged {
            words.pop();
        }
        words.push(new);
    }
    words.join(" ")
}

/// One word, which may have punctuation around it.
fn word(word: &str, before: &str, examples: bool) -> String {
    let inside = |c: char| c.is_alphanumeric();
    let start = word.find(inside).unwrap_or(0);
    let end = word.rfind(inside).map_or(word.len(), |at| at + word[at..].chars().next().unwrap().len_utf8());
    let core = if start <= end { &word[start..end] } else { "" };
    let around = |new: &str| format!("{}{new}{}", &word[..start], &word[end.max(start)..]);
    if is_time(core) {
        return around("[TIME]");
    }
    if !examples && before != "--ttl" && is_age(core) {
        return around("[AGE]");
    }
    let numbers = core.bytes().all(|b| b.is_ascii_digit()) && !core.is_empty();
    if numbers && ["process", "-CONT", "PID", "descendant"].contains(&before) {
        return around("[PID]");
    }
    ids(word)
}

/// `2026-11-21T20:43:02Z`
fn is_time(word: &str) -> bool {
    word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T'
}

/// `3m`, `120ms`, `1.5s`
fn is_age(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase() || c == 'µ');
    let unit = &word[digits.len()..];
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    number && ["ms", "s", "m", "h", "d", "µs"].contains(&unit)
}

/// Ids such as `1042-k7f3qa`, and the boot that a record's file name says.
fn ids(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(dash) = rest.find('-') {
        let (head, tail) = (&rest[..dash], &rest[dash + 1..]);
        let number = head.len() - head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let random = tail.bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if number == 0 || random != 6 {
            out.push_str(&rest[..=dash]);
            rest = tail;
            continue;
        }
        out.push_str(&head[..head.len() - number]);
        out.push_str("[ID]");
        rest = &tail[random..];
        let boot = rest.bytes().skip(1).take_while(|b| b.is_ascii_hexdigit() || *b == b'-').count();
        if rest.starts_with('.') && boot >= 8 {
            out.push_str(".[BOOT]");
            rest = &rest[1 + boot..];
        }
    }
    out + rest
}

#[test]
fn only_what_differs_is_redacted() {
    let text = "/t/x: 12-abc234 by a, for 1m 3s; process 77 at 2026-11-21T20:43:02Z, 3s ago (web-1) --ttl 1h";
    let want = "[DIR]/x: [ID] by a, for [AGE]; process [PID] at [TIME], [AGE] ago (web-1) --ttl 1h";
    assert_eq!(redacted(text, "/t"), want);
    let path = "deployments/waiting/12-abc234.0123abcd-77.h:";
    assert_eq!(redacted(path, "/t"), "deployments/waiting/[ID].[BOOT].h:");
}

//! Every `console` block of every page is typed into a bash with the real binary, and has to say what the page shows.
//!
//! One shell and one folder a page, so that a block goes on where the one before it ended. Ids, times and ages differ
//! from run to run and are compared by their shape; `[..]` stands for anything in a line, `...` for any lines.

use std::process::Command;

use snapbox::Assert;

use super::pages::{Block, Page, all};
use crate::harness::Scene;

/// An id in a page is the one that has its number here, else the latest of all.
const PRELUDE: &str = r#"exec 2>&1 </dev/null
real_id() {
    local all=$(cat "$XDG_STATE_HOME"/deploylock/history.jsonl locks/history.jsonl 2>/dev/null) found
    found=$(echo "$all" | grep -o "\"${1%%-*}-[a-z0-9]*\"" | head -n 1 | tr -d '"')
    [ -n "$found" ] || found=$(echo "$all" | tail -n 1 | grep -o '"[0-9]*-[a-z0-9]\{6\}"' | head -n 1 | tr -d '"')
    echo "${found:-$1}"
}
"#;

/// Where the output of each command begins in what the shell said.
const MARK: &str = "\u{1}";

#[test]
fn every_console_block_says_what_is_shown() {
    let pages = all();
    let with_blocks = pages.iter().filter(|page| page.blocks().iter().any(|b| b.language == "console"));
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        // Each waits for its own commands most of the time.
        let runs: Vec<_> = with_blocks.map(|page| scope.spawn(|| check(page))).collect();
        runs.into_iter().for_each(|run| wrong.extend(run.join().unwrap()));
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What a page shows and the program does not say.
fn check(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let blocks = page.blocks();
    let begins = |b: &Block| b.notes.iter().any(|note| note == "fresh");
    let mut rest = &blocks[..];
    while let Some((first, others)) = rest.split_first() {
        let end = others.iter().position(begins).unwrap_or(others.len());
        let part = &rest[..=end];
        rest = &rest[end + 1..];
        wrong.extend(check_part(page, first.line, part));
    }
    wrong
}

fn check_part(page: &Page, line: usize, blocks: &[Block]) -> Vec<String> {
    let (script, shown) = script(blocks);
    if shown.is_empty() {
        return Vec::new();
    }
    let scene = Scene::new();
    std::fs::write(scene.path("script"), script).unwrap();
    let mut bash = scene.program("timeout");
    bash.args(["--kill-after=5", "100", "bash", "script"]).env("USER", "ann");
    // As it would be found without anything said.
    bash.env_remove("DEPLOYLOCK_DIR").env("XDG_STATE_HOME", scene.path("state"));
    // A file, not a pipe: what a page leaves in the background keeps it open.
    bash.stdout(std::fs::File::create(scene.path("heard")).unwrap());
    bash.status().unwrap();
    let heard = String::from_utf8_lossy(&std::fs::read(scene.path("heard")).unwrap()).into_owned();
    let heard = heard.split(MARK).skip(1).map(str::to_owned).collect::<Vec<_>>();
    if heard.len() != shown.len() {
        return vec![format!("{}:{line}: the shell stopped: {heard:?}", page.name)];
    }
    let compare = |(shown, heard): (&Shown, &String)| {
        let place = format!("{}:{}: $ {}", page.name, shown.line, shown.command);
        let assert = Assert::new().action(snapbox::assert::Action::Verify);
        let (expected, actual) = (shape(&shown.output), shape(&as_in_the_pages(&scene, heard)));
        assert.try_eq(Some(&place), actual.into(), expected.into()).err().map(|e| format!("{place}\n{e}"))
    };
    shown.iter().zip(&heard).filter_map(compare).collect()
}

/// A command of a block and what the page shows of its answer.
struct Shown {
    command: String,
    output: String,
    line: usize,
}

/// What the shell does for these blocks, and what it is to say.
fn script(blocks: &[Block]) -> (String, Vec<Shown>) {
    let (mut script, mut all) = (PRELUDE.to_owned(), Vec::new());
    for (number, block) in blocks.iter().enumerate() {
        if let Some(file) = block.note("file") {
            let end = format!("END_OF_BLOCK_{number}");
            script.push_str(&format!(
                "mkdir -p \"$(dirname {file})\"; cat > {file} <<'{end}'\n{}{end}\n",
                block.text
            ));
            if block.text.starts_with("#!") {
                script.push_str(&format!("chmod +x {file}\n"));
            }
        }
        if block.language != "console" {
            continue;
        }
        if let Some(before) = block.note("before") {
            script.push_str(&format!("{{\n{before}\n}} >/dev/null 2>&1\n"));
        }
        let shown = commands(block);
        for one in &shown {
            // What `$?` says of the command before stays as it is.
            script.push_str(&format!(
                "{{ s=$?; printf '\\1'; (exit $s); }}\n{}\n",
                with_real_ids(&one.command)
            ));
        }
        all.extend(shown);
    }
    // With all that it started, and `timeout`.
    script.push_str("trap '' TERM; kill -TERM 0\n");
    (script, all)
}

fn commands(block: &Block) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for (number, line) in block.text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, output) = (command.to_owned(), String::new());
            shown.push(Shown { command, output, line: block.line + number + 1 });
        } else if let Some(one) = shown.last_mut() {
            match line.strip_prefix("> ").filter(|_| one.output.is_empty()) {
                Some(more) => one.command.push_str(&format!("\n{more}")),
                None => one.output.push_str(&format!("{line}\n")),
            }
        }
    }
    shown
}

fn with_real_ids(command: &str) -> String {
    let real = |word: &str| {
        if kind_of(word) == Some("<id>") { format!("$(real_id {word})") } else { word.to_owned() }
    };
    command.split(' ').map(real).collect::<Vec<_>>().join(" ")
}

/// The places and the host as the pages have them.
fn as_in_the_pages(scene: &Scene, heard: &str) -> String {
    let root = scene.root().display().to_string();
    let heard = heard.replace(&format!("{root}/state"), "/home/ann/.local/state").replace(&root, "/srv/shop");
    heard.replace(&format!("@{}", host()), "@ci")
}

fn host() -> String {
    let name = Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8_lossy(&name.stdout).trim().to_owned()
}

/// Text by its shape: what differs from run to run is a word for it, blanks are one blank.
fn shape(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words: Vec<String> = line.split_whitespace().map(shape_of_path).collect();
        words.join(" ")
    });
    let text: String = lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect();
    // An age of two units, `1m 3s`, and one, `3s`.
    let mut text = text;
    while text.contains("<age> <age>") {
        text = text.replace("<age> <age>", "<age>");
    }
    text.replace("in <age>", "<age>")
}

fn shape_of_path(word: &str) -> String {
    word.split('/').map(shape_of_word).collect::<Vec<_>>().join("/")
}

fn shape_of_word(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let Some(name) = kind_of(core) else {
        return word.to_owned();
    };
    word.replacen(core, name, 1)
}

fn kind_of(core: &str) -> Option<&'static str> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if let Some((number, random)) = core.split_once('-')
        && digits(number)
        && random.len() == 6
        && random.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return Some("<id>");
    }
    if core.len() == 20 && core.as_bytes()[10] == b'T' && core.ends_with('Z') {
        return Some("<time>");
    }
    let unit = core.trim_start_matches(|c: char| c.is_ascii_digit());
    let age = unit.len() < core.len() && ["ms", "s", "m", "h", "d"].contains(&unit);
    age.then_some("<age>")
}

//! The pages of the book, and the blocks in them with what stands hidden before each.
//!
//! A comment `<!-- WORD … -->` directly before a block says what a test does with it:
//! `file: NAME` writes the block to that file, `before: SHELL` runs this first, `fresh` begins with an empty folder,
//! `job: NAME` makes it a part of a recipe's job.

use std::path::{Path, PathBuf};

/// The folder of the documents.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// A page: its path below the repository's folder, and its text.
pub struct Page {
    pub name: String,
    pub text: String,
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    pub language: String,
    pub text: String,
    pub line: usize,
    /// What the comments before it say, in order.
    pub notes: Vec<String>,
}

impl Block {
    /// What the note with this word says.
    pub fn note(&self, word: &str) -> Option<&str> {
        self.notes.iter().find_map(|note| Some(note.strip_prefix(word)?.strip_prefix(':')?.trim()))
    }
}

/// The README and every page below `docs/`.
pub fn all() -> Vec<Page> {
    let mut files = vec![folder().parent().unwrap().join("README.md")];
    below(&folder(), &mut files);
    files.sort();
    let root = folder().parent().unwrap().to_owned();
    let page = |path: &PathBuf| Page {
        name: path.strip_prefix(&root).unwrap().display().to_string(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    files.iter().map(page).collect()
}

fn below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, into);
        } else if path.extension().is_some_and(|e| e == "md") {
            into.push(path);
        }
    }
}

impl Page {
    /// The one with this name below `docs/`.
    pub fn of(name: &str) -> Page {
        let text = std::fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Page { name: format!("docs/{name}"), text }
    }

    /// Its fenced blocks.
    pub fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut notes) = (Vec::new(), Vec::new());
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let indent = line.len() - line.trim_start().len();
                let mut text = String::new();
                for (_, inner) in lines.by_ref().take_while(|(_, l)| l.trim() != "```") {
                    text.push_str(inner.get(indent..).unwrap_or_default());
                    text.push('\n');
                }
                let (language, notes) = (language.trim().to_owned(), std::mem::take(&mut notes));
                blocks.push(Block { language, text, line: number + 1, notes });
            } else if let Some(begun) = line.trim_start().strip_prefix("<!--") {
                let mut note = begun.to_owned();
                while !note.contains("-->") {
                    let (_, more) = lines.next().expect("a comment ends");
                    note.push('\n');
                    note.push_str(more);
                }
                notes.push(note.split("-->").next().unwrap().trim().to_owned());
            } else if !line.trim().is_empty() {
                notes.clear();
            }
        }
        blocks
    }
}

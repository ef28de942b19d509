//! Links between the pages lead somewhere, and every page is in the book.

use std::path::Path;

use super::pages::{all, folder};

/// The targets of `[text](target)` outside of fenced blocks.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let outside = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let targets = |line: &str| -> Vec<String> {
        line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
    };
    outside.flat_map(targets).collect()
}

/// As mdBook and GitHub make them of headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = folder().parent().unwrap().to_owned();
    let mut broken = Vec::new();
    for page in all() {
        let here = root.join(&page.name);
        for link in links(&page.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { here.clone() } else { here.parent().unwrap().join(path) };
            let there = target.exists();
            let anchored = anchor.is_empty() || {
                let text = std::fs::read_to_string(&target).unwrap_or_default();
                anchors(&text).iter().any(|a| a == anchor)
            };
            if !there || !anchored {
                broken.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_book() {
    let summary = std::fs::read_to_string(folder().join("SUMMARY.md")).unwrap();
    let listed = links(&summary);
    for page in all() {
        let Ok(name) = Path::new(&page.name).strip_prefix("docs") else { continue };
        let name = name.display().to_string();
        assert!(
            name == "SUMMARY.md" || listed.contains(&name),
            "{} is in no chapter of docs/SUMMARY.md",
            page.name
        );
    }
}

//! "Did you mean": the closest of the names there are, and names written for messages.
//!
//! Which names there are is the caller's.

/// The candidate that `name` most likely stands for, if any is close enough: by spelling, else as its only
/// beginning.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let name = name.to_lowercase();
    misspelled(&name, candidates.clone()).or_else(|| begun(&name, candidates))
}

fn misspelled<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        // The lengths alone rule most out, and bound the work for names of absurd length.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::damerau_levenshtein(name, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

fn begun<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let begins = |candidate: &&str| candidate.to_lowercase().starts_with(name);
    let mut begun = candidates.into_iter().filter(begins);
    let first = begun.next().filter(|_| name.len() >= 3)?;
    begun.next().is_none().then_some(first)
}

/// A name in backticks, with control characters escaped: messages go to terminals.
pub(crate) fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('`');
    for c in name.chars() {
        if c.is_control() {
            quoted.extend(c.escape_default());
        } else {
            quoted.push(c);
        }
    }
    quoted.push('`');
    quoted
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_closest_of_several() {
        for (name, candidates, expected) in [
            ("prdo", ["prod", "pros", "test"], Some("prod")),
            ("PROD", ["test", "prod", "prod2"], Some("prod")),
            ("stagin", ["prod", "test", "staging"], Some("staging")),
            ("limit", ["allow", "limit_number", "part_of"], Some("limit_number")),
            ("web", ["web-abc", "web-def", "db"], None),
            ("pr", ["production", "test", "staging"], None),
            ("x", ["a", "b", "c"], None),
            ("", ["a", "b", "c"], None),
        ] {
            assert_eq!(closest(name, candidates), expected, "{name}");
        }
    }

    #[test]
    fn a_name_of_absurd_length_costs_nothing() {
        assert_eq!(closest(&"x".repeat(10_000_000), ["prod"]), None);
    }
}

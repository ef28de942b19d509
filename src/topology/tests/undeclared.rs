//! Errors between tables: what is named and not declared, and circles.

use super::{check, topology};

#[test]
fn what_is_not_declared() {
    check(&[
        (
            "[environments.e]\nengine = \"bpn\"\n[engines.bpm]\n",
            2,
            10,
            "engine `bpn` is not declared: did you mean `bpm`?",
        ),
        ("[environments.e]\nengine = \"bpm\"\n", 2, 10, "engine `bpm` is not declared: give it a table"),
        (
            "[containers.c]\npart_of = \"cell\"\n",
            2,
            11,
            "container `cell` is not declared: give it a table or list",
        ),
        (
            "[environments.e]\ncontainers = [\"web-1\"]\n[groups.g]\ncontainers = [\"web-2\"]\n",
            4,
            15,
            "did you mean `web-1`?",
        ),
        (
            "[applications.a.environments.prdo]\n[environments.prod]\n",
            1,
            30,
            "environment `prdo` is not declared: did you mean `prod`?",
        ),
        (
            "[environments.e]\ncontainers = [\"c\"]\n[containers.d]\n[applications.a.environments.e]\ncontainers = [\"c\", \"d\"]\n",
            5,
            20,
            "container `d` is not in environment `e`: add it",
        ),
        (
            "[environments.e]\ncontainers = [\"web-1\"]\n[applications.a.environments.e]\ncontainers = [\"wbe-1\"]\n",
            4,
            15,
            "did you mean `web-1`?",
        ),
        (
            "[environments.e]\n[applications.a.environments.e]\ncontainers = []\n",
            3,
            14,
            "`containers` in [applications.a.environments.e] must not be empty",
        ),
    ]);
}

#[test]
fn the_first_in_the_file_is_told() {
    check(&[("[environments.e]\nengine = \"x\"\n[containers.c]\npart_of = \"y\"\n", 2, 10, "engine `x`")]);
    check(&[("[containers.c]\npart_of = \"y\"\n[environments.e]\nengine = \"x\"\n", 2, 11, "container `y`")]);
}

#[test]
fn circles() {
    check(&[
        ("[containers.a]\npart_of = \"a\"\n", 2, 11, "part_of goes in a circle, `a` -> `a`: take one"),
        (
            "[containers.x]\npart_of = \"b\"\n[containers.a]\npartOf = \"b\"\n[containers.b]\npartOf = \"a\"\n",
            4,
            10,
            "part_of goes in a circle, `b` -> `a` -> `b`: take one of these steps out",
        ),
    ]);
    topology("[containers.a]\npart_of = \"c\"\n[containers.b]\npart_of = \"c\"\n[containers.c]\n");
}

//! What becomes of rules that the kernel refuses to change.

use super::*;

#[test]
fn the_marks_of_rules_that_the_kernel_does_not_delete_are_remembered() {
    let mut paths = Paths::of(&IpvsOptions::default()).unwrap();
    let table = paths.table;
    let rule = |mark| PolicyRule { v6: false, priority: 100, mark, mask: mark, table };
    for (refused, marks) in [(vec![], 0), (vec![1], 2), (vec![0, 2], 5), (vec![0, 1, 2], 7)] {
        paths.former_rules = [1, 2, 4].map(rule).to_vec();
        paths.keep_former(&refused.iter().copied().collect());
        assert_eq!(paths.former_marks(), marks, "{refused:?} were refused");
    }
}

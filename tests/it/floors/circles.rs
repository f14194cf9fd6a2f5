//! Circles of files: arrows that lead from a file back to it.

use super::arrows::Arrow;

/// The largest sets of files of which each leads to each other one.
pub fn circles(count: usize, arrows: &[Arrow]) -> Vec<Vec<usize>> {
    let mut after = vec![Vec::new(); count];
    for arrow in arrows {
        after[arrow.from].push(arrow.to);
    }
    let reached: Vec<Vec<bool>> = (0..count).map(|start| reach(start, &after)).collect();
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (start, from) in reached.iter().enumerate() {
        if from[start] && !found.iter().flatten().any(|file| *file == start) {
            let both = |file: &usize| from[*file] && reached[*file][start];
            found.push((0..count).filter(both).collect());
        }
    }
    found
}

fn reach(start: usize, after: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; after.len()];
    let mut next = vec![start];
    while let Some(at) = next.pop() {
        for to in &after[at] {
            if !reached[*to] {
                reached[*to] = true;
                next.push(*to);
            }
        }
    }
    reached
}

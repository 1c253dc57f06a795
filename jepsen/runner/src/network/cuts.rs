//! Which links a partition cuts.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Link;

/// Both directions between all of one group and all of the other.
pub fn between(one: &[u8], other: &[u8]) -> BTreeSet<Link> {
    let pairs = one.iter().flat_map(|&a| other.iter().flat_map(move |&b| [(a, b), (b, a)]));
    pairs.filter(|(from, to)| from != to).collect()
}

/// A random minority, as large as one can be, apart from the rest. Gives the minority as well.
pub fn halves(nodes: &[u8], random: &mut ChaCha8Rng) -> (Vec<u8>, BTreeSet<Link>) {
    let mut shuffled = nodes.to_vec();
    shuffled.shuffle(random);
    let (minority, majority) = shuffled.split_at((nodes.len() - 1) / 2);
    (sorted(minority), between(minority, majority))
}

/// Every node hears only its two neighbours in a ring of random order: each sees a majority of five, and no two the
/// same one. Gives the ring as well.
pub fn ring(nodes: &[u8], random: &mut ChaCha8Rng) -> (Vec<u8>, BTreeSet<Link>) {
    let mut ring = nodes.to_vec();
    ring.shuffle(random);
    let count = ring.len();
    let mut cut = BTreeSet::new();
    for here in 0..count {
        for there in 0..count {
            let distance = (here + count - there) % count;
            if distance != 0 && distance != 1 && distance != count - 1 {
                cut.insert((ring[here], ring[there]));
            }
        }
    }
    (ring, cut)
}

/// Two groups that hear each other only by way of one node that hears both. Gives that one as well.
pub fn bridge(nodes: &[u8], random: &mut ChaCha8Rng) -> (u8, BTreeSet<Link>) {
    let mut shuffled = nodes.to_vec();
    shuffled.shuffle(random);
    let (bridge, rest) = shuffled.split_first().expect("a cluster has nodes");
    let (one, other) = rest.split_at(rest.len() / 2);
    (*bridge, between(one, other))
}

/// One node is apart from all others.
pub fn isolated(node: u8, nodes: &[u8]) -> BTreeSet<Link> {
    between(&[node], nodes)
}

/// One node is not heard, or hears nobody, by the toss of a coin. Gives whether it is not heard as well.
pub fn one_way(node: u8, nodes: &[u8], random: &mut ChaCha8Rng) -> (bool, BTreeSet<Link>) {
    let unheard = random.random_bool(0.5);
    let others = nodes.iter().filter(|&&other| other != node);
    (unheard, others.map(|&other| if unheard { (node, other) } else { (other, node) }).collect())
}

fn sorted(nodes: &[u8]) -> Vec<u8> {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    nodes
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const NODES: [u8; 5] = [1, 2, 3, 4, 5];

    fn heard_by(node: u8, cut: &BTreeSet<Link>) -> Vec<u8> {
        NODES.into_iter().filter(|&other| !cut.contains(&(other, node))).collect()
    }

    fn seeds() -> impl Iterator<Item = ChaCha8Rng> {
        (0..50).map(ChaCha8Rng::seed_from_u64)
    }

    #[test]
    fn halves_leave_a_majority_whole() {
        for mut random in seeds() {
            let (minority, cut) = halves(&NODES, &mut random);
            assert_eq!(minority.len(), 2);
            for node in NODES {
                assert_eq!(heard_by(node, &cut).len(), if minority.contains(&node) { 2 } else { 3 });
            }
        }
    }

    #[test]
    fn in_a_ring_all_hear_a_majority_and_no_two_the_same() {
        for mut random in seeds() {
            let (_, cut) = ring(&NODES, &mut random);
            let views: BTreeSet<_> = NODES.into_iter().map(|node| heard_by(node, &cut)).collect();
            assert_eq!(views.len(), 5);
            assert!(views.iter().all(|view| view.len() == 3));
        }
    }

    #[test]
    fn a_bridge_hears_all_and_the_others_only_their_side() {
        for mut random in seeds() {
            let (bridge, cut) = bridge(&NODES, &mut random);
            for node in NODES {
                assert_eq!(heard_by(node, &cut).len(), if node == bridge { 5 } else { 3 });
            }
        }
    }

    #[test]
    fn an_isolated_node_hears_itself() {
        let cut = isolated(3, &NODES);
        assert_eq!(heard_by(3, &cut), [3]);
        assert_eq!(heard_by(1, &cut), [1, 2, 4, 5]);
    }

    #[test]
    fn one_way_leaves_the_other_way() {
        for mut random in seeds() {
            let (unheard, cut) = one_way(2, &NODES, &mut random);
            assert_eq!(heard_by(2, &cut).len(), if unheard { 5 } else { 1 });
            assert_eq!(heard_by(1, &cut).len(), if unheard { 4 } else { 5 });
        }
    }

    #[test]
    fn small_clusters_can_be_cut_too() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(halves(&[1], &mut random).1, BTreeSet::new());
        assert_eq!(ring(&[1, 2, 3], &mut random).1, BTreeSet::new());
        assert_eq!(bridge(&[1, 2, 3], &mut random).1.len(), 2);
        assert_eq!(isolated(1, &[1]), BTreeSet::new());
    }
}

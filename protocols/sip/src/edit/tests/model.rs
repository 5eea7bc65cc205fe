//! Edits in any order against a model of what they mean: folds, lists, compact names, either line end.

use super::*;
use crate::List;

const IDS: [HeaderId; 5] =
    [HeaderId::Route, HeaderId::Supported, HeaderId::Contact, HeaderId::Subject, HeaderId::Unknown];

#[derive(Clone, Debug)]
struct Line {
    id: HeaderId,
    elements: Vec<String>,
    text: String,
    /// Which elements are gone.
    gone: Vec<bool>,
    removed: bool,
    replaced: bool,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Element(usize, usize),
    Pop(usize),
    Set(HeaderId),
    Remove(HeaderId),
}

fn line() -> impl Strategy<Value = Line> {
    let elements = prop::collection::vec("[a-z]{1,4}", 1..5);
    let comma = prop::sample::select(vec![",", ", ", " ,", ",\r\n ", "\r\n\t,", " , \r\n  "]);
    (prop::sample::select(IDS.to_vec()), elements, comma, any::<bool>()).prop_map(
        |(id, elements, comma, compact)| {
            let short = id.compact().filter(|_| compact).map(String::from);
            let name = if id == HeaderId::Unknown { "X-Other".to_owned() } else { id.name().to_owned() };
            let text = format!("{}: {}\r\n", short.unwrap_or(name), elements.join(comma));
            let gone = vec![false; elements.len()];
            Line { id, elements, text, gone, removed: false, replaced: false }
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let id = || prop::sample::select(IDS[..4].to_vec());
    prop_oneof![
        6 => (0..6_usize, 0..4_usize).prop_map(|(line, element)| Change::Element(line, element)),
        2 => (0..5_usize).prop_map(Change::Pop),
        1 => id().prop_map(Change::Set),
        1 => id().prop_map(Change::Remove),
    ]
}

#[derive(Clone, Debug)]
struct Model {
    lines: Vec<Line>,
    added: Vec<HeaderId>,
}

impl Model {
    /// Takes elements out of one line; false where that is a conflict.
    fn thin(&mut self, at: usize, wanted: &[usize]) -> bool {
        let line = &mut self.lines[at];
        if line.removed || line.replaced || wanted.iter().any(|&element| line.gone[element]) {
            return false;
        }
        wanted.iter().for_each(|&element| line.gone[element] = true);
        line.removed = line.gone.iter().all(|gone| *gone);
        true
    }

    fn pop(&mut self, count: usize) -> bool {
        let routes: Vec<usize> =
            (0..self.lines.len()).filter(|&at| self.lines[at].id == HeaderId::Route).collect();
        let there: usize = routes.iter().map(|&at| self.lines[at].elements.len()).sum();
        let mut left = if there < count { return false } else { count };
        routes.into_iter().all(|at| {
            let wanted: Vec<usize> = (0..self.lines[at].elements.len().min(left)).collect();
            left -= wanted.len();
            wanted.is_empty() || self.thin(at, &wanted)
        })
    }

    fn set(&mut self, id: HeaderId) -> bool {
        let Some(first) = self.lines.iter().position(|line| line.id == id && !line.removed) else {
            let new = !self.added.contains(&id);
            self.added.push(id);
            return new;
        };
        let line = &mut self.lines[first];
        if line.replaced || line.gone.contains(&true) {
            return false;
        }
        line.replaced = true;
        self.lines
            .iter_mut()
            .skip(first + 1)
            .filter(|line| line.id == id)
            .for_each(|line| line.removed = true);
        true
    }

    fn remove(&mut self, id: HeaderId) -> bool {
        if self.lines.iter().any(|line| line.id == id && line.replaced) {
            return false;
        }
        self.lines.iter_mut().filter(|line| line.id == id).for_each(|line| line.removed = true);
        true
    }

    /// Whether the change is made of both with the same outcome.
    fn agrees(&mut self, change: Change, edits: &mut Edits<'_>) -> bool {
        match change {
            Change::Element(line, element) => {
                let of_line = edits.message().headers().nth(line + 1).map(|header| List::new(header.value));
                let Some(found) = of_line.and_then(|mut list| list.nth(element)) else { return true };
                edits.remove_element(found).is_ok() == self.thin(line, &[element])
            }
            Change::Pop(count) => edits.pop_routes(count).is_ok() == self.pop(count),
            Change::Set(id) => edits.set(id, b"new").is_ok() == self.set(id),
            Change::Remove(id) => edits.remove(id).is_ok() == self.remove(id),
        }
    }

    fn expected(&self) -> Vec<(HeaderId, Vec<String>)> {
        let left = |line: &Line| match line.replaced {
            true => vec!["new".to_owned()],
            false => {
                let elements = line.elements.iter().zip(&line.gone);
                elements.filter(|(_, gone)| !**gone).map(|(element, _)| element.clone()).collect()
            }
        };
        self.lines.iter().filter(|line| !line.removed).map(|line| (line.id, left(line))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn edits_mean_what_the_model_says(
        lines in prop::collection::vec(line(), 0..6), changes in prop::collection::vec(change(), 0..9),
        body in prop::option::of("[a-z]{0,5}"), lf in any::<bool>(),
    ) {
        let text: String = lines.iter().map(|line| line.text.as_str()).collect();
        let text = format!("ACK sip:a SIP/2.0\r\nVia: v\r\n{text}\r\nold");
        let text = if lf { text.replace("\r\n", "\n") } else { text };
        let limits = Limits { lf_line_ends: lf, ..Limits::default() };
        let before = Message::parse_datagram(text.into(), &limits).unwrap();
        let mut edits = Edits::new(&before);
        let mut model = Model { lines, added: Vec::new() };
        for change in changes {
            prop_assert!(model.agrees(change, &mut edits), "{change:?}");
        }
        if let Some(body) = &body {
            prop_assert_eq!(edits.set_body(b"a/b", body.as_bytes()), Ok(()));
        }
        prop_assert_eq!(edits.ensure_content_length(), Ok(()));
        let text = written(&edits);
        for line in &model.lines {
            let kept = !line.removed && !line.replaced && !line.gone.contains(&true);
            prop_assert!(!kept || text.contains(&line.text), "{}", &line.text);
        }
        // By strict limits: no line end of another kind is left.
        let after = message(&text);
        prop_assert_eq!(after.defect(), None);
        prop_assert_eq!(after.body(), body.as_deref().unwrap_or("old").as_bytes());
        let owned = |element: &[u8]| String::from_utf8(element.to_vec()).unwrap();
        let found = after.headers().map(|header| (header.id, List::new(header.value).map(owned).collect::<Vec<_>>()));
        let is_ours = |id: &HeaderId| matches!(id, HeaderId::Via | HeaderId::ContentType | HeaderId::ContentLength);
        let mut expected = model.expected();
        model.added.dedup();
        let mut added: Vec<HeaderId> = Vec::new();
        for id in model.added {
            if !added.contains(&id) {
                added.push(id);
                expected.push((id, vec!["new".to_owned()]));
            }
        }
        prop_assert_eq!(found.filter(|(id, _)| !is_ours(id)).collect::<Vec<_>>(), expected);
    }
}

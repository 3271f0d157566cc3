//! An object's members: sorted once when it is read, so that duplicates, look-up and comparison cost nothing more.

use std::borrow::Cow;

use super::Value;

/// An object. Invariant: members are sorted by name (by the bytes of its unescaped UTF-8), and no name comes twice.
#[derive(Clone)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

/// One member of an object.
#[derive(Clone)]
pub struct Member<'a> {
    /// Its name, unescaped.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Value<'a>,
    /// Which one it was in the text, from 0.
    pub(super) place: usize,
}

impl<'a> Object<'a> {
    /// `None` if a name comes twice.
    pub(super) fn new(mut members: Vec<Member<'a>>) -> Option<Self> {
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let twice = members.windows(2).any(|pair| matches!(pair, [a, b] if a.name == b.name));
        (!twice).then_some(Self { members })
    }

    /// The members, sorted by name.
    pub fn sorted(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The members in the order in which they were written.
    pub fn as_written(&self) -> Vec<&Member<'a>> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|member| member.place);
        members
    }

    /// The value of the member of that name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.members.get(self.index(name)?).map(|member| &member.value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        let index = self.index(name)?;
        self.members.get_mut(index).map(|member| &mut member.value)
    }

    /// Takes out the member of that name.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(index) = self.index(name) {
            self.members.remove(index);
        }
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.members.binary_search_by(|member| member.name.as_ref().cmp(name)).ok()
    }
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.members.iter().zip(&other.members);
        self.members.len() == other.members.len()
            && pairs().all(|(a, b)| a.name == b.name && a.value == b.value)
    }
}

//! From text to syntax: a Pratt parser over the tokens.
//!
//! Parentheses may hold a condition or an expression, and only what follows tells which; so one
//! loop parses both, and each operator checks the kind of its sides. The stack is bounded: every
//! level of nesting is counted, and chains of AND and OR grow in a vector. What the language has
//! and this crate does not evaluate yet is recognised here and refused by name.

use std::sync::Arc;

use skerry_model::Name;

use crate::ast::{
    Comparison, Condition, Constant, ConstantKind, DescriptorSyntax, Expression, Literal, Operator,
    Path, Syntax,
};
use crate::error::QueryError;
use crate::lexer::Lexer;
use crate::limits::{DESCRIPTOR_MAX_KEYS, DESCRIPTORS_MAX, LIST_MAX_ELEMENTS, SINGLE, TextLimits};
use crate::literal;
use crate::token::{Keyword, Spanned, Symbol, Token};
use crate::{CompareOp, Direction};

/// Parses a query text.
///
/// Any text ends in a result, in time linear in its length and with bounded stack.
pub fn parse(text: &str) -> Result<Syntax, QueryError> {
    parse_within(text, &SINGLE)
}

/// The same within given limits.
pub(crate) fn parse_within(text: &str, limits: &TextLimits) -> Result<Syntax, QueryError> {
    let TextLimits { max_bytes, max_depth } = *limits;
    if text.len() > max_bytes {
        return Err(QueryError::TooLong { actual_bytes: text.len(), max_bytes });
    }
    let mut lexer = Lexer::new(text);
    let current = lexer.next_token()?;
    let mut parser = Parser { text, lexer, current, depth: 0, max_depth };
    let node = parser.node(Power::Or)?;
    let condition = parser.condition(node)?;
    let descriptors = parser.descriptors()?;
    match parser.current.token {
        Token::End => Ok(Syntax { condition, descriptors }),
        _ => Err(parser.unexpected("the end of the query")),
    }
}

/// How tightly an operator binds, from loose to tight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Power {
    Or,
    And,
    Comparison,
    Operand,
}

/// What a piece of text turned out to be.
enum Node {
    Condition(Condition),
    /// An expression, and whether parentheses enclose it: some operators do not take those.
    Expression(Expression, Enclosed),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Enclosed {
    Yes,
    No,
}

/// What an infix token does.
enum Infix {
    And,
    Or,
    Compare(Operator),
    Unsupported(&'static str),
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    current: Spanned<'a>,
    depth: usize,
    max_depth: usize,
}

impl<'a> Parser<'a> {
    fn advance(&mut self) -> Result<Spanned<'a>, QueryError> {
        let next = self.lexer.next_token()?;
        Ok(std::mem::replace(&mut self.current, next))
    }

    fn unexpected(&self, expected: &'static str) -> QueryError {
        const SHOWN_MAX_CHARACTERS: usize = 40;
        let Spanned { token, start, end } = self.current;
        let found = if token == Token::End {
            "the end of the query".to_owned()
        } else {
            let spelling = &self.text[start..end];
            let shown: String = spelling.chars().take(SHOWN_MAX_CHARACTERS).collect();
            let more = if shown.len() < spelling.len() { "..." } else { "" };
            format!("`{shown}{more}`")
        };
        QueryError::Unexpected { expected, found, position: start }
    }

    fn too_deep(&self) -> QueryError {
        QueryError::TooDeep { max_depth: self.max_depth, position: self.current.start }
    }

    fn not_supported<T>(&self, what: &'static str) -> Result<T, QueryError> {
        Err(QueryError::NotSupported { what, position: self.current.start })
    }

    fn is_symbol(&self, symbol: Symbol) -> bool {
        self.current.token == Token::Symbol(symbol)
    }

    fn accept(&mut self, symbol: Symbol) -> Result<bool, QueryError> {
        let found = self.is_symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: Symbol, expected: &'static str) -> Result<(), QueryError> {
        if self.accept(symbol)? { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn condition(&self, node: Node) -> Result<Condition, QueryError> {
        match node {
            Node::Condition(condition) => Ok(condition),
            Node::Expression(..) => Err(self.unexpected("a comparison operator")),
        }
    }

    /// One level of nesting: a prefix, then operators that bind at least as tightly as `power`.
    fn node(&mut self, power: Power) -> Result<Node, QueryError> {
        if self.depth == self.max_depth {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let mut left = self.prefix()?;
        while let Some(infix) = self.infix() {
            left = match infix {
                Infix::Or if power <= Power::Or => self.chain(left, Power::And)?,
                Infix::And if power <= Power::And => self.chain(left, Power::Comparison)?,
                Infix::Compare(operator) if power <= Power::Comparison => {
                    self.comparison(left, operator)?
                }
                Infix::Unsupported(what) => match left {
                    Node::Expression(..) => return self.not_supported(what),
                    Node::Condition(_) => return Err(self.unexpected("AND, OR or the end")),
                },
                Infix::Or | Infix::And | Infix::Compare(_) => break,
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn infix(&self) -> Option<Infix> {
        let compare = |op| Some(Infix::Compare(Operator::Compare(op)));
        match self.current.token {
            Token::Keyword(keyword) => match keyword {
                Keyword::And => Some(Infix::And),
                Keyword::Or => Some(Infix::Or),
                Keyword::In => Some(Infix::Compare(Operator::In)),
                Keyword::Between => Some(Infix::Compare(Operator::Between)),
                Keyword::BeginsWith => compare(CompareOp::BeginsWith),
                Keyword::EndsWith => compare(CompareOp::EndsWith),
                Keyword::Contains => compare(CompareOp::Contains),
                Keyword::Like => compare(CompareOp::Like),
                Keyword::Text => Some(Infix::Unsupported("full-text search")),
                Keyword::GeoWithin => Some(Infix::Unsupported("geospatial search")),
                _ => None,
            },
            Token::Symbol(symbol) => match symbol {
                Symbol::Equal => compare(CompareOp::Equal),
                Symbol::NotEqual => compare(CompareOp::NotEqual),
                Symbol::Less => compare(CompareOp::Less),
                Symbol::LessOrEqual => compare(CompareOp::LessOrEqual),
                Symbol::Greater => compare(CompareOp::Greater),
                Symbol::GreaterOrEqual => compare(CompareOp::GreaterOrEqual),
                Symbol::Plus | Symbol::Minus | Symbol::Times | Symbol::Divide => {
                    Some(Infix::Unsupported("arithmetic"))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The rest of a chain of AND or OR whose parts bind at least as tightly as `part_power`.
    fn chain(&mut self, first: Node, part_power: Power) -> Result<Node, QueryError> {
        let mut parts = vec![self.condition(first)?];
        let keyword = self.current.token;
        while self.current.token == keyword {
            self.advance()?;
            let part = self.node(part_power)?;
            parts.push(self.condition(part)?);
        }
        Ok(Node::Condition(match part_power {
            Power::And | Power::Or => Condition::Or(parts),
            Power::Comparison | Power::Operand => Condition::And(parts),
        }))
    }

    fn comparison(&mut self, left: Node, operator: Operator) -> Result<Node, QueryError> {
        let Node::Expression(left, enclosed) = left else {
            return Err(self.unexpected("AND, OR or the end of the query"));
        };
        // The engine's grammar lets only these operators stand between parenthesised expressions.
        let takes_enclosed = match operator {
            Operator::Compare(op) => !op.is_string_operator(),
            Operator::In => true,
            Operator::Between => false,
        };
        let takes_folding = match operator {
            Operator::Compare(op) => {
                matches!(op, CompareOp::Equal | CompareOp::NotEqual) || op.is_string_operator()
            }
            Operator::In => true,
            Operator::Between => false,
        };
        if enclosed == Enclosed::Yes && !takes_enclosed {
            return Err(self.unexpected("an operator that takes an expression in parentheses"));
        }
        let position = self.advance()?.start;
        let case_insensitive = takes_folding && self.accept(Symbol::CaseInsensitive)?;
        let right = match operator {
            Operator::Between => self.between_limits()?,
            Operator::Compare(_) | Operator::In => {
                let before = self.current;
                match self.node(Power::Operand)? {
                    Node::Expression(right, Enclosed::No) => right,
                    Node::Expression(right, Enclosed::Yes) if takes_enclosed => right,
                    Node::Expression(..) | Node::Condition(_) => {
                        self.current = before;
                        return Err(self.unexpected("a property or a value"));
                    }
                }
            }
        };
        Ok(Node::Condition(Condition::Comparison(Comparison {
            left,
            operator,
            case_insensitive,
            right,
            position,
        })))
    }

    fn between_limits(&mut self) -> Result<Expression, QueryError> {
        match self.current.token {
            Token::Symbol(Symbol::OpenBrace) => self.list(),
            Token::Keyword(Keyword::Any | Keyword::All | Keyword::None) => self.quantifier(),
            _ => Err(self.unexpected("a list of two constants")),
        }
    }

    fn prefix(&mut self) -> Result<Node, QueryError> {
        match self.current.token {
            Token::Keyword(Keyword::Not) => {
                self.advance()?;
                let operand = self.node(Power::Comparison)?;
                Ok(Node::Condition(Condition::Not(Box::new(self.condition(operand)?))))
            }
            Token::Symbol(Symbol::OpenParenthesis) => {
                self.advance()?;
                let inner = self.node(Power::Or)?;
                self.expect(Symbol::CloseParenthesis, "an operator or `)`")?;
                Ok(match inner {
                    Node::Condition(condition) => Node::Condition(condition),
                    Node::Expression(expression, _) => Node::Expression(expression, Enclosed::Yes),
                })
            }
            Token::Keyword(Keyword::TruePredicate) => {
                self.advance()?;
                Ok(Node::Condition(Condition::True))
            }
            Token::Keyword(Keyword::FalsePredicate) => {
                self.advance()?;
                Ok(Node::Condition(Condition::False))
            }
            _ => Ok(Node::Expression(self.operand()?, Enclosed::No)),
        }
    }

    fn operand(&mut self) -> Result<Expression, QueryError> {
        match self.current.token {
            Token::Symbol(Symbol::OpenBrace) => self.list(),
            Token::Identifier(_) => self.path().map(Expression::Path),
            Token::Keyword(Keyword::Binary) => {
                let word = self.advance()?;
                if self.is_symbol(Symbol::OpenParenthesis) {
                    return self.binary(word.start).map(Expression::Constant);
                }
                self.path_after(word).map(Expression::Path)
            }
            Token::Keyword(keyword) if keyword.is_name() => self.path().map(Expression::Path),
            Token::Keyword(Keyword::Any | Keyword::All | Keyword::None) => self.quantifier(),
            Token::Keyword(Keyword::Subquery) => self.not_supported("SUBQUERY"),
            Token::Keyword(Keyword::GeoShape) => self.not_supported("geospatial search"),
            Token::KeyPathArgument => self.not_supported("a key-path argument"),
            Token::Operation(_) => self.not_supported("a path that begins with an operation"),
            _ => self.constant("a property, a value or a condition").map(Expression::Constant),
        }
    }

    /// ANY, SOME, ALL or NONE: refused by name, unless it is a mistake anyway.
    fn quantifier(&mut self) -> Result<Expression, QueryError> {
        let position = self.advance()?.start;
        match self.current.token {
            Token::Identifier(_)
            | Token::Symbol(Symbol::OpenBrace)
            | Token::Argument(_)
            | Token::KeyPathArgument
            | Token::Operation(_) => {}
            Token::Keyword(keyword) if keyword.is_name() => {}
            _ => return Err(self.unexpected("a property or a list")),
        }
        Err(QueryError::NotSupported { what: "a quantifier", position })
    }

    fn path(&mut self) -> Result<Path, QueryError> {
        let first = self.advance()?;
        self.path_after(first)
    }

    fn path_after(&mut self, first: Spanned<'a>) -> Result<Path, QueryError> {
        let mut names = vec![self.name(first)];
        loop {
            if self.is_symbol(Symbol::OpenBracket) {
                return self.not_supported("an index");
            }
            if !self.accept(Symbol::Dot)? {
                return Ok(Path { names, position: first.start });
            }
            match self.current.token {
                Token::Identifier(_) => {}
                Token::Keyword(keyword) if keyword.is_name() => {}
                Token::Operation(_) => return self.not_supported("an @-operation"),
                _ => return Err(self.unexpected("the name of a property")),
            }
            if names.len() == self.max_depth {
                return Err(self.too_deep());
            }
            let next = self.advance()?;
            names.push(self.name(next));
        }
    }

    fn name(&self, token: Spanned<'a>) -> Name {
        Name::from(literal::unescape_name(&self.text[token.start..token.end]))
    }

    fn list(&mut self) -> Result<Expression, QueryError> {
        let position = self.advance()?.start;
        let mut elements = Vec::new();
        if self.accept(Symbol::CloseBrace)? {
            return Ok(Expression::List(elements, position));
        }
        // The engine accepts one comma before the first element.
        self.accept(Symbol::Comma)?;
        loop {
            if elements.len() == LIST_MAX_ELEMENTS {
                return Err(list_too_long(self.current.start));
            }
            elements.push(self.constant("a constant")?);
            if self.accept(Symbol::CloseBrace)? {
                return Ok(Expression::List(elements, position));
            }
            self.expect(Symbol::Comma, "`,` or `}`")?;
        }
    }

    fn constant(&mut self, expected: &'static str) -> Result<Constant, QueryError> {
        let position = self.current.start;
        let kind = match self.current.token {
            Token::Argument(index) => ConstantKind::Argument(self.argument_index(index)?),
            Token::Keyword(Keyword::Object) => return self.object(),
            Token::Keyword(Keyword::Binary) => {
                self.advance()?;
                return self.binary(position);
            }
            Token::ObjectNumber => return self.not_supported("an object number"),
            _ => ConstantKind::Literal(self.literal(expected)?),
        };
        self.advance()?;
        Ok(Constant { kind, position })
    }

    fn argument_index(&self, digits: &str) -> Result<usize, QueryError> {
        digits.parse().map_err(|_| QueryError::BadToken {
            what: "the number of the argument is too large".to_owned(),
            position: self.current.start,
        })
    }

    /// The value of the current token, which is not consumed.
    fn literal(&self, expected: &'static str) -> Result<Literal, QueryError> {
        let position = self.current.start;
        Ok(match self.current.token {
            Token::Keyword(Keyword::Null) => Literal::Null,
            Token::Keyword(Keyword::True) => Literal::Bool(true),
            Token::Keyword(Keyword::False) => Literal::Bool(false),
            Token::Natural(text) | Token::Number(text) => {
                Literal::Int(literal::integer(text, position)?)
            }
            Token::Real(text) => match text.strip_suffix('f') {
                Some(single) => Literal::Single(single.into()),
                None => Literal::Real(text.into()),
            },
            Token::Special(text) => Literal::Real(text.into()),
            Token::Text(text) => Literal::String(text.into()),
            Token::Base64(text) => {
                let bytes = literal::base64(text, position)?;
                let text = String::from_utf8(bytes).map_err(|_| QueryError::BadToken {
                    what: "the base64 text is no UTF-8".to_owned(),
                    position,
                })?;
                Literal::String(text.into())
            }
            Token::Uuid(uuid) => Literal::Uuid(uuid),
            Token::ObjectId(oid) => Literal::ObjectId(oid),
            Token::Timestamp(timestamp) => Literal::Timestamp(timestamp),
            _ => return Err(self.unexpected(expected)),
        })
    }

    /// What follows BINARY.
    fn binary(&mut self, position: usize) -> Result<Constant, QueryError> {
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let bytes: Arc<[u8]> = match self.current.token {
            Token::Text(text) => text.as_bytes().into(),
            Token::Base64(text) => literal::base64(text, self.current.start)?.into(),
            _ => return Err(self.unexpected("a string")),
        };
        self.advance()?;
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        Ok(Constant { kind: ConstantKind::Literal(Literal::Binary(bytes)), position })
    }

    /// `obj("Class", key)`
    fn object(&mut self) -> Result<Constant, QueryError> {
        let position = self.advance()?.start;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let Token::Text(class) = self.current.token else {
            return Err(self.unexpected("the name of a class in quotes"));
        };
        self.advance()?;
        self.expect(Symbol::Comma, "`,`")?;
        let key = match self.current.token {
            Token::Natural(_)
            | Token::Number(_)
            | Token::Text(_)
            | Token::Base64(_)
            | Token::Uuid(_)
            | Token::ObjectId(_)
            | Token::Argument(_) => self.constant("a primary key")?,
            _ => return Err(self.unexpected("a primary key")),
        };
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        let kind = ConstantKind::Object { class: class.to_owned(), key: Box::new(key) };
        Ok(Constant { kind, position })
    }

    fn descriptors(&mut self) -> Result<Vec<DescriptorSyntax>, QueryError> {
        let mut descriptors = Vec::new();
        loop {
            let position = self.current.start;
            let descriptor = match self.current.token {
                Token::Keyword(Keyword::Sort) => DescriptorSyntax::Sort(self.keys(Self::sort_key)?),
                Token::Keyword(Keyword::Distinct) => {
                    DescriptorSyntax::Distinct(self.keys(Self::own_path)?)
                }
                Token::Keyword(Keyword::Limit) => DescriptorSyntax::Limit(self.limit()?),
                _ => return Ok(descriptors),
            };
            if descriptors.len() == DESCRIPTORS_MAX {
                return Err(QueryError::ListTooLong { max_elements: DESCRIPTORS_MAX, position });
            }
            descriptors.push(descriptor);
        }
    }

    /// `(key, key, …)` after SORT or DISTINCT.
    fn keys<K>(
        &mut self,
        key: impl Fn(&mut Self) -> Result<K, QueryError>,
    ) -> Result<Vec<K>, QueryError> {
        self.advance()?;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let mut keys = Vec::new();
        loop {
            if keys.len() == DESCRIPTOR_MAX_KEYS {
                return Err(QueryError::ListTooLong {
                    max_elements: DESCRIPTOR_MAX_KEYS,
                    position: self.current.start,
                });
            }
            keys.push(key(self)?);
            if self.accept(Symbol::CloseParenthesis)? {
                return Ok(keys);
            }
            self.expect(Symbol::Comma, "`,` or `)`")?;
        }
    }

    fn own_path(&mut self) -> Result<Path, QueryError> {
        match self.current.token {
            Token::Identifier(_) => self.path(),
            Token::Keyword(keyword) if keyword.is_name() => self.path(),
            Token::Operation(_) => self.not_supported("a path that begins with an operation"),
            _ => Err(self.unexpected("the name of a property")),
        }
    }

    fn sort_key(&mut self) -> Result<(Path, Direction), QueryError> {
        let path = self.own_path()?;
        let direction = match self.current.token {
            Token::Keyword(Keyword::Ascending) => Direction::Ascending,
            Token::Keyword(Keyword::Descending) => Direction::Descending,
            _ => return Err(self.unexpected("ASC or DESC")),
        };
        self.advance()?;
        Ok((path, direction))
    }

    fn limit(&mut self) -> Result<u64, QueryError> {
        self.advance()?;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let Token::Natural(digits) = self.current.token else {
            return Err(self.unexpected("a number of objects"));
        };
        let limit = literal::integer(digits, self.current.start)?;
        self.advance()?;
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        Ok(u64::try_from(limit).expect("a natural number is not negative"))
    }
}

fn list_too_long(position: usize) -> QueryError {
    QueryError::ListTooLong { max_elements: LIST_MAX_ELEMENTS, position }
}

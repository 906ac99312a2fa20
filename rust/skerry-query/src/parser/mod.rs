//! From text to syntax: a Pratt parser over the tokens.
//!
//! Parentheses may hold a condition or an expression, and only what follows tells which; so one
//! loop parses both, and each operator checks the kind of its sides. The stack is bounded: every
//! level of nesting is counted, arithmetic included, whose chains lean to the left; chains of AND and
//! OR grow in a vector.

mod constant;
mod descriptor;
mod path;
mod region;

use crate::ast::{
    ArithmeticOp, ArithmeticSyntax, Comparison, Condition, Expression, Operator, Quantifier,
    SubquerySyntax, Syntax,
};
use crate::error::QueryError;
use crate::lexer::Lexer;
use crate::limits::{SINGLE, TextLimits};
use crate::token::{Keyword, Spanned, Symbol, Token};
use crate::{CompareOp, literal};

/// Parses a query text.
///
/// Any text ends in a result, in time linear in its length and with bounded stack.
pub fn parse(text: &str) -> Result<Syntax, QueryError> {
    parse_within(text, &SINGLE)
}

/// The same within given limits.
pub(crate) fn parse_within(text: &str, limits: &TextLimits) -> Result<Syntax, QueryError> {
    let mut parser = Parser::new(text, limits)?;
    let node = parser.node(Power::Or)?;
    let condition = parser.condition(node)?;
    let descriptors = parser.descriptors()?;
    parser.end("the end of the query")?;
    Ok(Syntax { condition, descriptors })
}

/// Parses the text of a region and nothing else, as an argument may hold it.
pub(crate) fn parse_region(text: &str) -> Result<crate::ast::RegionSyntax, QueryError> {
    let mut parser = Parser::new(text, &SINGLE)?;
    let region = parser.region()?;
    parser.end("the end of the region")?;
    Ok(region)
}

/// How tightly an operator binds, from loose to tight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Power {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Operand,
}

/// What a piece of text turned out to be.
enum Node {
    Condition(Condition),
    /// An expression, and whether some operators do not take it.
    Expression(Expression, Form),
}

/// Whether an expression is one value as written, or made of others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// In parentheses, or with operators of arithmetic.
    Composed,
}

/// What an infix token does.
enum Infix {
    And,
    Or,
    Compare(Operator),
    Arithmetic(ArithmeticOp, Power),
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    current: Spanned<'a>,
    depth: usize,
    max_depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &TextLimits) -> Result<Self, QueryError> {
        let TextLimits { max_bytes, max_depth } = *limits;
        if text.len() > max_bytes {
            return Err(QueryError::TooLong { actual_bytes: text.len(), max_bytes });
        }
        let mut lexer = Lexer::new(text);
        let current = lexer.next_token()?;
        Ok(Self { text, lexer, current, depth: 0, max_depth })
    }

    fn end(&self, expected: &'static str) -> Result<(), QueryError> {
        if self.current.token == Token::End { Ok(()) } else { Err(self.unexpected(expected)) }
    }

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

    fn enter(&mut self) -> Result<(), QueryError> {
        if self.depth == self.max_depth {
            return Err(self.too_deep());
        }
        self.depth += 1;
        Ok(())
    }

    /// One level of nesting: a prefix, then operators that bind at least as tightly as `power`.
    fn node(&mut self, power: Power) -> Result<Node, QueryError> {
        self.enter()?;
        let mut left = self.prefix()?;
        while let Some(infix) = self.infix() {
            left = match infix {
                Infix::Or if power <= Power::Or => self.chain(left, Power::And)?,
                Infix::And if power <= Power::And => self.chain(left, Power::Comparison)?,
                Infix::Compare(operator) if power <= Power::Comparison => {
                    self.comparison(left, operator)?
                }
                Infix::Arithmetic(op, tightness) if power <= tightness => {
                    self.arithmetic(left, op, tightness)?
                }
                Infix::Or | Infix::And | Infix::Compare(_) | Infix::Arithmetic(..) => break,
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
                Keyword::Text => Some(Infix::Compare(Operator::Text)),
                Keyword::GeoWithin => Some(Infix::Compare(Operator::GeoWithin)),
                _ => None,
            },
            Token::Symbol(symbol) => match symbol {
                Symbol::Equal => compare(CompareOp::Equal),
                Symbol::NotEqual => compare(CompareOp::NotEqual),
                Symbol::Less => compare(CompareOp::Less),
                Symbol::LessOrEqual => compare(CompareOp::LessOrEqual),
                Symbol::Greater => compare(CompareOp::Greater),
                Symbol::GreaterOrEqual => compare(CompareOp::GreaterOrEqual),
                Symbol::Plus => Some(Infix::Arithmetic(ArithmeticOp::Add, Power::Sum)),
                Symbol::Minus => Some(Infix::Arithmetic(ArithmeticOp::Subtract, Power::Sum)),
                Symbol::Times => Some(Infix::Arithmetic(ArithmeticOp::Multiply, Power::Product)),
                Symbol::Divide => Some(Infix::Arithmetic(ArithmeticOp::Divide, Power::Product)),
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
            Power::Comparison | Power::Sum | Power::Product | Power::Operand => {
                Condition::And(parts)
            }
        }))
    }

    /// `left op right`; chains lean to the left, and each link of one is a level of nesting.
    fn arithmetic(
        &mut self,
        left: Node,
        op: ArithmeticOp,
        tightness: Power,
    ) -> Result<Node, QueryError> {
        let Node::Expression(left, _) = left else {
            return Err(self.unexpected("AND, OR or the end of the query"));
        };
        let position = self.advance()?.start;
        let before = self.current;
        let tighter = if tightness == Power::Sum { Power::Product } else { Power::Operand };
        let Node::Expression(right, _) = self.node(tighter)? else {
            self.current = before;
            return Err(self.unexpected("a property or a value"));
        };
        let depth_of = |side: &Expression| match side {
            Expression::Arithmetic(inner) => inner.depth,
            _ => 0,
        };
        let depth = 1 + depth_of(&left).max(depth_of(&right));
        if depth > self.max_depth {
            return Err(QueryError::TooDeep { max_depth: self.max_depth, position });
        }
        let arithmetic = ArithmeticSyntax { left, op, right, position, depth };
        Ok(Node::Expression(Expression::Arithmetic(Box::new(arithmetic)), Form::Composed))
    }

    fn comparison(&mut self, left: Node, operator: Operator) -> Result<Node, QueryError> {
        let Node::Expression(left, form) = left else {
            return Err(self.unexpected("AND, OR or the end of the query"));
        };
        let takes_composed = takes_composed(operator);
        if form == Form::Composed && !takes_composed {
            return Err(self.unexpected("an operator that takes an expression in parentheses"));
        }
        let wants_path = operator == Operator::GeoWithin;
        if wants_path && !matches!(left, Expression::Path(_)) {
            return Err(self.unexpected("an operator that takes a value on its left"));
        }
        let position = self.advance()?.start;
        let case_insensitive = takes_folding(operator) && self.accept(Symbol::CaseInsensitive)?;
        let right = match operator {
            Operator::Between => self.between_limits()?,
            Operator::GeoWithin => self.region_or_argument()?,
            Operator::Compare(_) | Operator::In | Operator::Text => {
                let before = self.current;
                match self.node(if takes_composed { Power::Sum } else { Power::Operand })? {
                    Node::Expression(right, Form::Plain) => right,
                    Node::Expression(right, Form::Composed) if takes_composed => right,
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
        let quantifier = self.quantifier()?;
        match self.current.token {
            Token::Symbol(Symbol::OpenBrace) => self.list(quantifier).map(Expression::List),
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
                    Node::Expression(expression, _) => Node::Expression(expression, Form::Composed),
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
            _ => Ok(Node::Expression(self.operand()?, Form::Plain)),
        }
    }

    fn operand(&mut self) -> Result<Expression, QueryError> {
        if let Some(quantifier) = self.quantifier()? {
            return self.quantified(quantifier);
        }
        match self.current.token {
            Token::Symbol(Symbol::OpenBrace) => self.list(None).map(Expression::List),
            Token::Keyword(Keyword::Binary) => {
                let word = self.advance()?;
                if self.is_symbol(Symbol::OpenParenthesis) {
                    return self.binary(word.start).map(Expression::Constant);
                }
                self.path_after(word, None).map(Expression::Path)
            }
            Token::Keyword(Keyword::Subquery) => self.subquery(),
            _ if self.begins_path() => self.path(None).map(Expression::Path),
            _ => self.constant("a property, a value or a condition").map(Expression::Constant),
        }
    }

    /// ANY, SOME, ALL or NONE, if one stands here.
    fn quantifier(&mut self) -> Result<Option<Quantifier>, QueryError> {
        let quantifier = match self.current.token {
            Token::Keyword(Keyword::Any) => Quantifier::Any,
            Token::Keyword(Keyword::All) => Quantifier::All,
            Token::Keyword(Keyword::None) => Quantifier::None,
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(quantifier))
    }

    fn quantified(&mut self, quantifier: Quantifier) -> Result<Expression, QueryError> {
        match self.current.token {
            Token::Symbol(Symbol::OpenBrace) => self.list(Some(quantifier)).map(Expression::List),
            Token::Argument(_) => {
                let argument = self.constant("an argument")?;
                Ok(Expression::ListArgument(quantifier, argument))
            }
            _ if self.begins_path() => self.path(Some(quantifier)).map(Expression::Path),
            _ => Err(self.unexpected("a property or a list")),
        }
    }

    /// `SUBQUERY(path, $variable, condition).@count`
    fn subquery(&mut self) -> Result<Expression, QueryError> {
        let position = self.advance()?.start;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        if !self.begins_path() {
            return Err(self.unexpected("a path to objects"));
        }
        let path = self.path_elements()?;
        self.expect(Symbol::Comma, "`,`")?;
        let named = self.current;
        let variable = match named.token {
            Token::Identifier(name) if name.starts_with('$') && name.len() > 1 => {
                literal::unescape_name(name)
            }
            _ => return Err(self.unexpected("a variable such as `$x`")),
        };
        self.advance()?;
        self.expect(Symbol::Comma, "`,`")?;
        let node = self.node(Power::Or)?;
        let condition = self.condition(node)?;
        self.expect(Symbol::CloseParenthesis, "an operator or `)`")?;
        self.expect(Symbol::Dot, "`.@count`")?;
        match self.current.token {
            Token::Operation("count" | "size") => self.advance()?,
            _ => return Err(self.unexpected("`@count` or `@size`")),
        };
        let variable = variable.into();
        Ok(Expression::Subquery(Box::new(SubquerySyntax { path, variable, condition, position })))
    }
}

/// Which operators take expressions that are composed, as the engine's grammar has it.
fn takes_composed(operator: Operator) -> bool {
    match operator {
        Operator::Compare(op) => !op.is_string_operator(),
        Operator::In => true,
        Operator::Between | Operator::Text | Operator::GeoWithin => false,
    }
}

/// Which operators may have `[c]` behind them.
fn takes_folding(operator: Operator) -> bool {
    match operator {
        Operator::Compare(op) => {
            matches!(op, CompareOp::Equal | CompareOp::NotEqual) || op.is_string_operator()
        }
        Operator::In => true,
        Operator::Between | Operator::Text | Operator::GeoWithin => false,
    }
}

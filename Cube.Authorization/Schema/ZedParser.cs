using System.Text.RegularExpressions;

namespace Cube.Authorization.Schema;

/// <summary>
/// <code>
/// schema     = { definition }
/// definition = "definition" name "{" { relation | permission } "}"
/// relation   = "relation" name ":" subject { "|" subject }
/// subject    = name [ "#" name | ":" "*" ]
/// permission = "permission" name "=" expression
/// expression = meet { "-" meet }            exclusion: lowest precedence, left-associative
/// meet       = join { "&amp;" join }
/// join       = term { "+" term }            union: highest precedence
/// term       = "nil" | name [ "->" name ] | "(" expression ")"
/// </code>
/// The precedence of the operators is SpiceDB's. Every relation and permission ends with its line.
/// </summary>
internal sealed partial class ZedParser(string text)
{
    private readonly List<Token> _tokens = ZedLexer.Read(text);
    private int _at;

    public Dictionary<string, ZedDefinition> ParseDefinitions()
    {
        var definitions = new Dictionary<string, ZedDefinition>();
        for (SkipBreaks(); Current.Kind != TokenKind.End; SkipBreaks())
        {
            var line = Current.Line;
            Expect("definition");
            var definition = ParseDefinition();
            if (!definitions.TryAdd(definition.Name, definition))
            {
                throw Error(line, $"found name reused between multiple definitions and/or caveats: {definition.Name}");
            }
        }

        return definitions;
    }

    private ZedDefinition ParseDefinition()
    {
        var name = Name("definition");
        var (relations, permissions) = (new Dictionary<string, ZedRelation>(), new Dictionary<string, ZedPermission>());
        Expect("{");
        for (SkipBreaks(); !Take("}"); SkipBreaks())
        {
            string made;
            bool added;
            if (Take("relation"))
            {
                var relation = ParseRelation();
                (made, added) = (relation.Name, !permissions.ContainsKey(relation.Name) && relations.TryAdd(relation.Name, relation));
            }
            else
            {
                Expect("permission");
                var permission = ParsePermission();
                (made, added) = (permission.Name, !relations.ContainsKey(permission.Name) && permissions.TryAdd(permission.Name, permission));
            }

            if (!added)
            {
                throw new ZedException($"found duplicate relation/permission name `{made}` under definition `{name}`", isParseError: false);
            }

            if (Current is not { Kind: TokenKind.Break } and not { Text: "}" })
            {
                throw Unexpected("Expected end of statement or definition");
            }
        }

        return new ZedDefinition(name, relations, permissions);
    }

    private ZedRelation ParseRelation()
    {
        var name = Name("relation");
        Expect(":");
        var subjects = new List<ZedSubject>();
        do
        {
            SkipBreaks();
            var type = Name("definition");
            subjects.Add(Take("#") ? new ZedSubject(type, Name("relation")) : Take(":") ? Wildcard(type) : new ZedSubject(type));
        }
        while (Take("|"));
        return new ZedRelation(name, subjects);

        ZedSubject Wildcard(string type)
        {
            Expect("*");
            return new ZedSubject(type, IsWildcard: true);
        }
    }

    private ZedPermission ParsePermission()
    {
        var name = Name("permission");
        Expect("=");
        return new ZedPermission(name, ParseExpression());
    }

    private ZedExpression ParseExpression() => Chain("-", ZedOperator.Exclusion, ParseMeet);

    private ZedExpression ParseMeet() => Chain("&", ZedOperator.Intersection, ParseJoin);

    private ZedExpression ParseJoin() => Chain("+", ZedOperator.Union, ParseTerm);

    private ZedExpression Chain(string symbol, ZedOperator @operator, Func<ZedExpression> operand)
    {
        SkipBreaks();
        var left = operand();
        while (Take(symbol))
        {
            SkipBreaks();
            left = new ZedExpression.Combination(@operator, left, operand());
        }

        return left;
    }

    private ZedExpression ParseTerm()
    {
        if (Take("("))
        {
            var inner = ParseExpression();
            SkipBreaks();
            Expect(")");
            return inner;
        }

        var name = Name("permission");
        return name == "nil" ? new ZedExpression.Nil() : Take("->") ? new ZedExpression.Arrow(name, Name("permission")) : new ZedExpression.Reference(name);
    }

    private Token Current => _tokens[_at];

    private void SkipBreaks()
    {
        while (Current.Kind == TokenKind.Break)
        {
            _at++;
        }
    }

    private bool Take(string word)
    {
        if (Current.Kind is TokenKind.Break or TokenKind.End || Current.Text != word)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Expect(string word)
    {
        if (!Take(word))
        {
            throw Unexpected($"Expected '{word}'");
        }
    }

    private string Name(string what)
    {
        var token = Current;
        if (token.Kind != TokenKind.Name)
        {
            throw Unexpected($"Expected the name of a {what}");
        }

        _at++;
        return Identifier().IsMatch(token.Text) ? token.Text : throw Error(token.Line, $"`{token.Text}` is not a valid name of a {what}");
    }

    private ZedException Unexpected(string expected) =>
        Error(Current.Line, $"{expected}, found: {(Current.Kind == TokenKind.End ? "the end" : Current.Kind == TokenKind.Break ? "a line break" : $"'{Current.Text}'")}");

    private static ZedException Error(int line, string message) => new($"parse error in `schema`, line {line}: {message}", isParseError: true);

    [GeneratedRegex(@"^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]\z")]
    private static partial Regex Identifier();
}

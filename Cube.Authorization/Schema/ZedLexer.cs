using System.Text.RegularExpressions;

namespace Cube.Authorization.Schema;

internal enum TokenKind
{
    End,
    Name,

    /// <summary>One of <c>{ } ( ) : = + &amp; - | # * -></c>.</summary>
    Symbol,

    /// <summary>A line break or a semicolon. Both end a statement.</summary>
    Break,
}

/// <param name="Line">Counted from 1.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line);

internal static partial class ZedLexer
{
    public static List<Token> Read(string text)
    {
        var tokens = new List<Token>();
        var line = 1;
        for (var at = 0; at < text.Length;)
        {
            if (Next().Match(text, at) is not { Success: true } match)
            {
                throw new ZedException($"parse error in `schema`, line {line}: unexpected '{text[at]}'", isParseError: true);
            }

            at += match.Length;
            if (match.Groups["name"].Success)
            {
                tokens.Add(new Token(TokenKind.Name, match.Value, line));
            }
            else if (match.Groups["symbol"].Success)
            {
                tokens.Add(new Token(TokenKind.Symbol, match.Value, line));
            }
            else if (match.Groups["break"].Success)
            {
                tokens.Add(new Token(TokenKind.Break, "", line));
            }

            line += match.Value.Count(static character => character == '\n');
        }

        tokens.Add(new Token(TokenKind.End, "", line));
        return tokens;
    }

    // \G anchors each match at the end of the previous one. A block comment is not a line break, even over several lines.
    [GeneratedRegex(@"\G(?:(?<name>[A-Za-z_][A-Za-z0-9_/]*)|(?<symbol>->|[{}():=+&\-|#*])|(?<break>[\n;])|(?<skip>[ \t\r]+|//[^\n]*|/\*(?s:.*?)\*/))")]
    private static partial Regex Next();
}

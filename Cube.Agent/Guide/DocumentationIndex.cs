using System.Reflection;
using System.Text;

namespace Cube.Agent.Guide;

/// <summary>A piece of the documentation under one heading.</summary>
internal sealed record Passage(string Document, string Heading, string Text);

/// <summary>The passages of Cube's documentation, which is embedded in this assembly, split at headings.</summary>
internal static class DocumentationIndex
{
    private const string Prefix = "guide/";

    public static IReadOnlyList<Passage> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var passages = new List<Passage>();
        foreach (var name in assembly.GetManifestResourceNames().Where(static name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            passages.AddRange(Cut(name[Prefix.Length..], reader.ReadToEnd()));
        }

        return passages;
    }

    /// <summary>Splits Markdown at headings. Code blocks and tables are left out.</summary>
    internal static IEnumerable<Passage> Cut(string document, string markdown)
    {
        var (heading, text, inCode) = (document, new StringBuilder(), false);
        foreach (var line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                inCode = !inCode;
            }
            else if (!inCode && line.StartsWith('#'))
            {
                if (text.Length > 0)
                {
                    yield return new Passage(document, heading, text.ToString().Trim());
                }

                (heading, text) = (line.TrimStart('#', ' '), new StringBuilder());
            }
            else if (!inCode && !line.StartsWith('|') && line.Trim() is { Length: > 0 } content)
            {
                text.Append(content.Replace("**", "", StringComparison.Ordinal).Replace("`", "", StringComparison.Ordinal)).Append(' ');
            }
        }

        if (text.Length > 0)
        {
            yield return new Passage(document, heading, text.ToString().Trim());
        }
    }
}

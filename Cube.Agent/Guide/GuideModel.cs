using System.Text.RegularExpressions;

namespace Cube.Agent.Guide;

/// <summary>
/// A retrieval engine that replaces a missing model server, so that a first chat works offline. It ranks the passages
/// of Cube's documentation against the question (Okapi BM25) and answers with the best two. Its answer states that it is not a language model.
/// </summary>
internal sealed partial class GuideModel
{
    public const string Id = "cube-guide";

    private const string Introduction =
        "I am cube-guide, not a language model: I search Cube's documentation. " +
        "Connect Ollama or vLLM for real answers. ";

    private const string Nothing =
        "I found nothing about that. Ask me how to start Cube, about domains, tokens, roles, model servers, attestation, settings or errors.";

    // The usual constants of BM25: term saturation and length normalization.
    private const double K1 = 1.2;
    private const double B = 0.75;

    private readonly (Passage Passage, Dictionary<string, int> Terms, int Length)[] _index;
    private readonly Dictionary<string, int> _documentFrequency = new(StringComparer.Ordinal);
    private readonly double _averageLength;

    public GuideModel(IEnumerable<Passage> passages)
    {
        _index = [.. passages.Select(static passage =>
        {
            // Words of the heading have a higher weight.
            var terms = Terms($"{passage.Heading} {passage.Heading} {passage.Text}").ToList();
            return (passage, terms.CountBy(static term => term).ToDictionary(), terms.Count);
        })];
        foreach (var term in _index.SelectMany(static entry => entry.Terms.Keys))
        {
            _documentFrequency[term] = _documentFrequency.GetValueOrDefault(term) + 1;
        }

        _averageLength = _index.Length == 0 ? 1 : _index.Average(static entry => entry.Length);
    }

    public string Answer(string question)
    {
        var terms = Terms(question).Distinct().ToArray();
        var best = _index
            .Select(entry => (entry.Passage, Score: Score(entry.Terms, entry.Length, terms)))
            .Where(static entry => entry.Score > 0)
            .OrderByDescending(static entry => entry.Score)
            .Take(2)
            .ToArray();
        return best.Length == 0
            ? Introduction + Nothing
            : Introduction + string.Join("\n\n", best.Select(static entry => $"{entry.Passage.Heading} ({entry.Passage.Document}): {entry.Passage.Text}"));
    }

    /// <summary>Splits text into the tokens of this model: up to six letters or digits, or one other character, each with the preceding white space.</summary>
    public static IEnumerable<string> Tokenize(string text)
    {
        foreach (Match match in Token().Matches(text))
        {
            yield return match.Value;
        }
    }

    public static int CountTokens(string text) => Token().Count(text);

    private double Score(Dictionary<string, int> passage, int length, string[] question)
    {
        var score = 0.0;
        foreach (var term in question)
        {
            if (passage.TryGetValue(term, out var count))
            {
                var frequency = _documentFrequency[term];
                var idf = Math.Log(1 + ((_index.Length - frequency + 0.5) / (frequency + 0.5)));
                score += idf * count * (K1 + 1) / (count + (K1 * (1 - B + (B * length / _averageLength))));
            }
        }

        return score;
    }

    private static IEnumerable<string> Terms(string text)
    {
        foreach (Match match in Word().Matches(text))
        {
            var word = match.Value.ToLowerInvariant();
            // Plural and singular are one term; words of one or two letters are ignored.
            yield return word.Length > 3 && word.EndsWith('s') ? word[..^1] : word;
        }
    }

    // A token never splits a surrogate pair.
    [GeneratedRegex(@"\s*(?:[\p{L}\p{N}]{1,6}|[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\s])|\s+")]
    private static partial Regex Token();

    [GeneratedRegex(@"[\p{L}\p{N}]{3,}")]
    private static partial Regex Word();
}

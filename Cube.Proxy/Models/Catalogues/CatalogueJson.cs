using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Proxy.Models.Catalogues;

/// <summary>What is wrong with a catalogue that somebody wants to save, in words for him.</summary>
internal sealed class CatalogueException(string message) : Exception(message);

/// <summary><c>{"models":[{"id":"fast","model":"smollm2:135m"},{"id":"llama3:8b"}]}</c>; <c>model</c> is <c>id</c> where it is left out.</summary>
internal static partial class CatalogueJson
{
    public const int MostBytes = 128 << 10;
    public const int MostEntries = 512;

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private sealed record Said(IReadOnlyList<SaidEntry> Models);

    private sealed record SaidEntry(string Id, string? Model = null);

    /// <exception cref="CatalogueException">It cannot mean anything.</exception>
    public static IReadOnlyList<CatalogueEntry> Parse(ReadOnlySpan<byte> utf8)
    {
        Said said;
        try
        {
            said = JsonSerializer.Deserialize<Said>(utf8, _options) ?? throw new CatalogueException("The catalogue is null.");
        }
        catch (JsonException exception)
        {
            throw new CatalogueException($"The catalogue cannot be read at {exception.Path ?? "its start"}: it is no JSON, or a field there is missing, unknown, twice, or of another kind.");
        }

        if (said.Models.Count > MostEntries)
        {
            throw new CatalogueException($"models: there can be {MostEntries}.");
        }

        var entries = said.Models.Select(static entry => new CatalogueEntry(entry.Id, entry.Model ?? entry.Id)).ToList();
        foreach (var (entry, i) in entries.Select(static (entry, i) => (entry, i)))
        {
            Require(IsName(entry.Id), $"models[{i}].id: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
            Require(IsName(entry.Model), $"models[{i}].model: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
        }

        Require(entries.DistinctBy(static entry => entry.Id).Count() == entries.Count, "models: an id stands twice.");
        return entries;
    }

    public static string Write(IReadOnlyList<CatalogueEntry> entries) => JsonSerializer.Serialize(entries, _options);

    /// <exception cref="JsonException">It is none that was written.</exception>
    public static IReadOnlyList<CatalogueEntry> Read(string json) => JsonSerializer.Deserialize<IReadOnlyList<CatalogueEntry>>(json, _options)!;

    private static bool IsName(string name) => name.Length is >= 1 and <= 256 && Name().IsMatch(name);

    private static void Require(bool isRight, string message)
    {
        if (!isRight)
        {
            throw new CatalogueException(message);
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex Name();
}

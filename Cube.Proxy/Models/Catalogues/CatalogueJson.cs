using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Attestation.Parsing;

namespace Cube.Proxy.Models.Catalogues;

/// <summary>What is wrong with a catalogue that somebody wants to save, in words for him.</summary>
internal sealed class CatalogueException(string message) : Exception(message);

/// <summary><c>{"models":[{"id":"fast","model":"smollm2:135m"},{"id":"llama3:8b"}]}</c>; <c>model</c> is <c>id</c> where it is left out.</summary>
internal static partial class CatalogueJson
{
    public const int MostBytes = 128 << 10;
    public const int MostEntries = 512;

    /// <summary>Of what is stored, where every entry has both names.</summary>
    public const int MostStored = 512 << 10;

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
            if (JsonNulls.Find(utf8) is { } path)
            {
                throw new CatalogueException($"The catalogue has a null at {path}.");
            }
        }
        catch (JsonException exception)
        {
            throw new CatalogueException($"The catalogue cannot be read at {exception.Path ?? "its start"}: it is no JSON, or a field there is missing, unknown, twice, or of another kind.");
        }

        IReadOnlyList<CatalogueEntry> entries = [.. said.Models.Select(static entry => new CatalogueEntry(entry.Id, entry.Model ?? entry.Id))];
        Check(entries);
        ReadStored(Write(entries));
        return entries;
    }

    private static void Check(IReadOnlyList<CatalogueEntry> entries)
    {
        Require(entries.Count <= MostEntries, $"models: there can be {MostEntries}.");
        foreach (var (entry, i) in entries.Select(static (entry, i) => (entry, i)))
        {
            Require(IsName(entry.Id), $"models[{i}].id: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
            Require(IsName(entry.Model), $"models[{i}].model: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
        }

        Require(entries.DistinctBy(static entry => entry.Id).Count() == entries.Count, "models: an id stands twice.");
    }

    public static string Write(IReadOnlyList<CatalogueEntry> entries) => JsonSerializer.Serialize(entries, _options);

    /// <param name="json">As it is stored; null where that is too long to be a catalogue.</param>
    /// <exception cref="CatalogueException">It is none.</exception>
    public static IReadOnlyList<CatalogueEntry> ReadStored(string? json)
    {
        Require(json is not null && Encoding.UTF8.GetByteCount(json) <= MostStored, $"The catalogue is larger than {MostStored >> 10} KiB.");
        try
        {
            var entries = JsonSerializer.Deserialize<IReadOnlyList<CatalogueEntry?>>(json ?? "", _options) ?? throw new CatalogueException("The catalogue is null.");
            IReadOnlyList<CatalogueEntry> stored = [.. entries.Select(static entry => entry ?? throw new CatalogueException("The catalogue has a null."))];
            Check(stored);
            return stored;
        }
        catch (JsonException)
        {
            throw new CatalogueException("The catalogue is not JSON of the kind that is stored.");
        }
    }

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

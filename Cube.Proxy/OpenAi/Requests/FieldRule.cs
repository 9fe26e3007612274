using System.Collections.Frozen;
using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

internal enum Fate
{
    /// <summary>Its bytes go to the model server as they are.</summary>
    Pass,

    /// <summary>It has no meaning for the model server.</summary>
    Drop,

    /// <summary>The model server would ignore it in silence, and the client would not know.</summary>
    Refuse,

    /// <summary>Written by the endpoint's own code.</summary>
    Own,
}

/// <summary>What becomes of one top-level member of a request.</summary>
/// <param name="Check">Null for what is not looked at.</param>
/// <param name="OnOllama">Its fate in front of Ollama and of the guide model.</param>
/// <param name="OnVllm">Its fate in front of vLLM.</param>
internal sealed record FieldRule(Check? Check, Fate OnOllama, Fate OnVllm)
{
    public static FieldRule Pass(Check check) => new(check, Fate.Pass, Fate.Pass);

    public static FieldRule Own(Check? check = null) => new(check, Fate.Own, Fate.Own);

    public static FieldRule Drop(Check? check = null) => new(check, Fate.Drop, Fate.Drop);

    public static FieldRule Refuse { get; } = new(Checks.Unsupported, Fate.Refuse, Fate.Refuse);

    /// <summary>What its value may hold; null where that is not looked at.</summary>
    public Members? Known { get; init; }

    public FieldRule Holding(Members known) => this with { Known = known };

    public Fate On(BackendKind kind) => kind == BackendKind.Vllm ? OnVllm : OnOllama;
}

/// <summary>The members that an endpoint knows. What it does not know goes nowhere, and its name comes back in a header.</summary>
internal sealed class FieldRules(Dictionary<string, FieldRule> rules)
{
    private readonly FrozenDictionary<string, FieldRule> _rules = rules.ToFrozenDictionary(StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = rules.Keys.Select(Members.Fold).ToFrozenSet(StringComparer.Ordinal);

    /// <param name="request">The whole request.</param>
    /// <param name="ignored">Takes the names that are not known, at every depth.</param>
    /// <exception cref="RefusedException">One is a known one in other letters.</exception>
    public void CheckNames(JsonElement request, IgnoredMembers ignored)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (_rules.TryGetValue(member.Name, out var rule))
            {
                rule.Known?.Check(member.Value, member.Name, member.Name, ignored);
                continue;
            }

            if (_folded.Contains(Members.Fold(member.Name)))
            {
                // A model server written in Go takes it for the same, so two readers could understand two things.
                throw new RefusedException(OpenAiError.InvalidJson);
            }

            ignored.Add(member.Name);
        }
    }

    /// <exception cref="RefusedException">A member is not what it must be.</exception>
    public void Check(JsonElement request)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Null && _rules.TryGetValue(member.Name, out var rule))
            {
                rule.Check?.Invoke(member.Value, member.Name);
            }
        }
    }

    /// <summary>Writes what passes, from known members where its rule has them.</summary>
    /// <exception cref="RefusedException">This kind of model server does not know a member that must not be ignored.</exception>
    public void Write(JsonElement request, Utf8JsonWriter json, BackendKind kind)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null || !_rules.TryGetValue(member.Name, out var rule))
            {
                continue;
            }

            switch (rule.On(kind))
            {
                case Fate.Pass:
                    json.WritePropertyName(member.Name);
                    rule.Known.WriteOrCopy(member.Value, json);
                    break;
                case Fate.Refuse when !SaysNothing(member.Value):
                    throw new RefusedException(OpenAiError.UnsupportedParameter(member.Name));
            }
        }
    }

    /// <summary>An empty object or text asks for nothing, so nothing is lost without it.</summary>
    private static bool SaysNothing(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.GetPropertyCount() == 0 : value.ValueKind == JsonValueKind.String && value.ValueEquals(""u8);
}

internal static class RawJson
{
    /// <summary>Copies the value's own bytes: no number loses a digit.</summary>
    public static void WriteRaw(this Utf8JsonWriter json, string name, JsonElement value)
    {
        json.WritePropertyName(name);
        json.WriteRaw(value);
    }

    public static void WriteRawOrNull(this Utf8JsonWriter json, JsonElement? value)
    {
        if (value is { } some)
        {
            json.WriteRaw(some);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    public static void WriteRaw(this Utf8JsonWriter json, JsonElement value) =>
        json.WriteRawValue(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);
}

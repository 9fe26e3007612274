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

    public Fate On(BackendKind kind) => kind == BackendKind.Vllm ? OnVllm : OnOllama;
}

/// <summary>The members that an endpoint knows. What it does not know goes nowhere, and its name comes back in a header.</summary>
internal sealed class FieldRules(Dictionary<string, FieldRule> rules)
{
    private const int MostNamed = 16;
    private readonly FrozenDictionary<string, FieldRule> _rules = rules.ToFrozenDictionary(StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = rules.Keys.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <returns>The unknown members, as <c>x-cube-ignored</c> has them; null for none.</returns>
    /// <exception cref="RefusedException">One is a known one in other letters.</exception>
    public string? Unknown(JsonElement request)
    {
        List<string>? ignored = null;
        foreach (var member in request.EnumerateObject())
        {
            if (_rules.ContainsKey(member.Name))
            {
                continue;
            }

            if (_folded.Contains(member.Name))
            {
                // A model server written in Go takes it for the same, so two readers could understand two things.
                throw new RefusedException(OpenAiError.InvalidJson);
            }

            if ((ignored ??= []).Count < MostNamed && IsPlain(member.Name))
            {
                ignored.Add(member.Name);
            }
        }

        return ignored is { Count: > 0 } ? string.Join(", ", ignored) : null;
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

    /// <summary>Writes what passes as it is.</summary>
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
                    json.WriteRaw(member.Name, member.Value);
                    break;
                case Fate.Refuse:
                    throw new RefusedException(OpenAiError.UnsupportedParameter(member.Name));
            }
        }
    }

    private static bool IsPlain(string name) => name.Length is > 0 and <= 64 && name.All(static character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.');
}

internal static class RawJson
{
    /// <summary>Copies the value's own bytes: no number loses a digit.</summary>
    public static void WriteRaw(this Utf8JsonWriter json, string name, JsonElement value)
    {
        json.WritePropertyName(name);
        json.WriteRaw(value);
    }

    public static void WriteRaw(this Utf8JsonWriter json, JsonElement value) =>
        json.WriteRawValue(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);
}

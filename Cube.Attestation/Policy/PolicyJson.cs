using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Policy;

/// <summary>A policy that cannot be loaded, with a sentence that names the field.</summary>
public sealed class PolicyException : Exception
{
    public PolicyException()
    {
    }

    public PolicyException(string message)
        : base(message)
    {
    }

    public PolicyException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>Policies as JSON. A field that is unknown, twice or of another kind stops the loading: a misspelt demand is no demand.</summary>
public static class PolicyJson
{
    public const int MostBytes = 256 * 1024;

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = false,
        MaxDepth = 16,
        // The text is stored and sent as JSON, never as HTML: what was sent must not grow when it is written.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="allowSimulated">False in Production: a policy that names simulated evidence does not load there.</param>
    /// <exception cref="PolicyException">The policy has a field that is unknown or cannot mean anything.</exception>
    public static AttestationPolicy Parse(ReadOnlySpan<byte> utf8, bool allowSimulated)
    {
        if (utf8.Length > MostBytes)
        {
            throw new PolicyException("The policy is larger than 256 KiB.");
        }

        AttestationPolicy policy;
        try
        {
            policy = JsonSerializer.Deserialize<AttestationPolicy>(utf8, _options) ?? throw new PolicyException("The policy is null.");
            if (JsonNulls.Find(utf8) is { } path)
            {
                throw new PolicyException($"The policy has a null at {Shown(path)}: leave out what it does not demand.");
            }
        }
        catch (JsonException exception)
        {
            throw new PolicyException($"The policy cannot be read at {Shown(exception.Path ?? "its start")}: it is no JSON, or a field there is unknown, twice, or of another kind.");
        }

        PolicyRules.Check(policy, allowSimulated);
        return policy;
    }

    /// <summary>
    /// The text that is stored for a policy. It is held to the limit of a policy and read once more: the limit counts what will be loaded, not what was sent.
    /// </summary>
    /// <exception cref="PolicyException">What would be stored could not be loaded, or no machine could satisfy it.</exception>
    public static string Write(AttestationPolicy policy, bool allowSimulated)
    {
        PolicyRules.CheckSatisfiable(policy);
        var utf8 = JsonSerializer.SerializeToUtf8Bytes(policy, _options);
        Parse(utf8, allowSimulated);
        return Encoding.UTF8.GetString(utf8);
    }

    /// <summary>Names of members come from the sender and may be of any length.</summary>
    private static string Shown(string path) => path.Length <= 200 ? path : $"{path.AsSpan(0, 200)}…";
}

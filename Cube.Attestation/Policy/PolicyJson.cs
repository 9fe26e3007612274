using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Policy;

/// <summary>The policy is invalid. The message names the field.</summary>
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

/// <summary>Reads and writes policies as JSON. An unknown or duplicate field, or a value of the wrong type, is an error: a misspelt requirement would otherwise be ignored.</summary>
public static class PolicyJson
{
    public const int MaxBytes = 256 * 1024;

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = false,
        MaxDepth = 16,
        // The text is used as JSON only, never inside HTML. Escaping must not make it longer than the text that was sent.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="allowSimulated">False in Production: a policy that accepts simulated Evidence is an error there.</param>
    /// <exception cref="PolicyException">The policy has an unknown field or an invalid value.</exception>
    public static AttestationPolicy Parse(ReadOnlySpan<byte> utf8, bool allowSimulated)
    {
        if (utf8.Length > MaxBytes)
        {
            throw new PolicyException("The policy is larger than 256 KiB.");
        }

        AttestationPolicy policy;
        try
        {
            policy = JsonSerializer.Deserialize<AttestationPolicy>(utf8, _options) ?? throw new PolicyException("The policy is null.");
            if (JsonNulls.Find(utf8) is { } path)
            {
                throw new PolicyException($"The policy has a null at {Shown(path)}: leave out fields without a value.");
            }
        }
        catch (JsonException exception)
        {
            throw new PolicyException($"The policy cannot be read at {Shown(exception.Path ?? "its start")}: the JSON is invalid, or a field is unknown, duplicate, or of the wrong type.");
        }

        PolicyRules.Validate(policy, allowSimulated);
        return policy;
    }

    /// <summary>
    /// Returns the text to store for a policy. It parses the text again, because the size limit applies to the stored text, not to the text that was sent.
    /// </summary>
    /// <exception cref="PolicyException">The stored text could not be loaded, or no machine can satisfy the policy.</exception>
    public static string Write(AttestationPolicy policy, bool allowSimulated)
    {
        PolicyRules.RequireSatisfiable(policy);
        var utf8 = JsonSerializer.SerializeToUtf8Bytes(policy, _options);
        Parse(utf8, allowSimulated);
        return Encoding.UTF8.GetString(utf8);
    }

    /// <summary>Member names come from the caller and may be of any length.</summary>
    private static string Shown(string path) => path.Length <= 200 ? path : $"{path.AsSpan(0, 200)}…";
}

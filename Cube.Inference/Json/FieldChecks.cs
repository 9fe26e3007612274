using System.Runtime.InteropServices;
using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Checks one member of a request.</summary>
/// <param name="value">Never a JSON null: a member that is null counts as absent.</param>
/// <param name="param">The path of the member in an error's <c>param</c>, such as <c>messages[1].role</c>.</param>
/// <exception cref="RequestRejectedException">The value is not allowed.</exception>
internal delegate void FieldCheck(JsonElement value, string param);

/// <summary>Checks that several members share.</summary>
internal static class FieldChecks
{
    public static readonly FieldCheck Boolean = static (value, param) => RequireType(value.ValueKind is JsonValueKind.True or JsonValueKind.False, param, "a boolean");
    public static readonly FieldCheck String = static (value, param) => RequireType(value.ValueKind == JsonValueKind.String, param, "a string");
    public static readonly FieldCheck Object = static (value, param) => RequireType(value.ValueKind == JsonValueKind.Object, param, "an object");
    public static readonly FieldCheck Array = static (value, param) => RequireType(value.ValueKind == JsonValueKind.Array, param, "an array");

    /// <summary>An integer of any length: a seed may exceed every .NET number type.</summary>
    public static readonly FieldCheck AnyInteger = static (value, param) => RequireType(IsInteger(value), param, "an integer");

    /// <summary>Rejects a member that OpenAI's API has and Cube does not support.</summary>
    public static readonly FieldCheck Unsupported = static (_, param) => throw new RequestRejectedException(OpenAiError.UnsupportedParameter(param));

    /// <summary>Accepts false and rejects true.</summary>
    public static readonly FieldCheck UnsupportedTrue = static (value, param) =>
    {
        Boolean(value, param);
        if (value.ValueKind == JsonValueKind.True)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedParameter(param));
        }
    };

    private static readonly FieldCheck _token = Integer(0, int.MaxValue);

    /// <summary>A string, or an array of one to four strings.</summary>
    public static readonly FieldCheck Stop = static (value, param) =>
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return;
        }

        RequireType(value.ValueKind == JsonValueKind.Array, param, "a string or an array of strings");
        Require(value.GetArrayLength() is >= 1 and <= 4, param, "there can be one to four stop sequences");
        foreach (var item in value.EnumerateArray())
        {
            RequireType(item.ValueKind == JsonValueKind.String, param, "a string or an array of strings");
        }
    };

    /// <summary>A prompt as an array of token ids.</summary>
    public static void Tokens(JsonElement tokens, string param) => Tokens(tokens, param, isIndexed: true);

    /// <param name="tokens">The array.</param>
    /// <param name="param">The path of the array.</param>
    /// <param name="isIndexed">Whether the error names the index of the invalid token.</param>
    public static void Tokens(JsonElement tokens, string param, bool isIndexed)
    {
        Array(tokens, param);
        var i = 0;
        foreach (var token in tokens.EnumerateArray())
        {
            if (!IsInteger(token) || !token.TryGetInt32(out var number) || number < 0)
            {
                _token(token, isIndexed ? $"{param}[{i}]" : param);
            }

            i++;
        }
    }

    public static FieldCheck Integer(long min, long max) => (value, param) =>
    {
        AnyInteger(value, param);
        Require(value.TryGetInt64(out var number) && number >= min && number <= max, param, max == long.MaxValue ? $"it must be {min} or more" : $"it must be between {min} and {max}");
    };

    public static FieldCheck Number(double min, double max) => (value, param) =>
    {
        RequireType(value.ValueKind == JsonValueKind.Number, param, "a number");
        Require(value.TryGetDouble(out var number) && number >= min && number <= max, param, $"it must be between {min} and {max}");
    };

    public static FieldCheck OneOf(params string[] values) => (value, param) =>
    {
        String(value, param);
        Require(values.Any(value.ValueEquals), param, $"it must be one of {string.Join(", ", values)}");
    };

    /// <param name="isValid">Whether the value has the expected type.</param>
    /// <param name="param">The path of the member.</param>
    /// <param name="expected">The expected type with its article.</param>
    /// <exception cref="RequestRejectedException"><paramref name="isValid"/> is false.</exception>
    public static void RequireType(bool isValid, string param, string expected)
    {
        if (!isValid)
        {
            throw new RequestRejectedException(OpenAiError.InvalidType(param, expected));
        }
    }

    /// <param name="isValid">Whether the value satisfies the rule.</param>
    /// <param name="param">The path of the member.</param>
    /// <param name="rule">The rule as a clause without a full stop.</param>
    /// <exception cref="RequestRejectedException"><paramref name="isValid"/> is false.</exception>
    public static void Require(bool isValid, string param, string rule)
    {
        if (!isValid)
        {
            throw new RequestRejectedException(OpenAiError.InvalidValue(param, $"Invalid value for '{param}': {rule}."));
        }
    }

    private static bool IsInteger(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return false;
        }

        foreach (var character in JsonMarshal.GetRawUtf8Value(value))
        {
            if (character is (byte)'.' or (byte)'e' or (byte)'E')
            {
                return false;
            }
        }

        return true;
    }
}

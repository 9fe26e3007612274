using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Looks at one member of a request.</summary>
/// <param name="value">Never null: a member that is null is one that is not there.</param>
/// <param name="param">What an error calls it, as <c>messages[1].role</c>.</param>
/// <exception cref="RequestRejectedException">It is not what it must be.</exception>
internal delegate void FieldCheck(JsonElement value, string param);

/// <summary>The checks that several members share.</summary>
internal static class FieldChecks
{
    public static readonly FieldCheck Boolean = static (value, param) => Type(value.ValueKind is JsonValueKind.True or JsonValueKind.False, param, "a boolean");
    public static readonly FieldCheck Text = static (value, param) => Type(value.ValueKind == JsonValueKind.String, param, "a string");
    public static readonly FieldCheck Object = static (value, param) => Type(value.ValueKind == JsonValueKind.Object, param, "an object");
    public static readonly FieldCheck Array = static (value, param) => Type(value.ValueKind == JsonValueKind.Array, param, "an array");

    /// <summary>Digits with a sign, however many: a seed may be longer than any number type.</summary>
    public static readonly FieldCheck AnyInteger = static (value, param) => Type(IsInteger(value), param, "an integer");

    /// <summary>Known to OpenAI, and nothing that Cube can do.</summary>
    public static readonly FieldCheck Unsupported = static (_, param) => throw new RequestRejectedException(OpenAiError.UnsupportedParameter(param));

    /// <summary>Harmless where it is false.</summary>
    public static readonly FieldCheck UnsupportedTrue = static (value, param) =>
    {
        Boolean(value, param);
        if (value.ValueKind == JsonValueKind.True)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedParameter(param));
        }
    };

    private static readonly FieldCheck _token = Integer(0, int.MaxValue);

    /// <summary>A string, or up to four.</summary>
    public static readonly FieldCheck Stop = static (value, param) =>
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return;
        }

        Type(value.ValueKind == JsonValueKind.Array, param, "a string or an array of strings");
        Value(value.GetArrayLength() is >= 1 and <= 4, param, "there can be one to four stop sequences");
        foreach (var item in value.EnumerateArray())
        {
            Type(item.ValueKind == JsonValueKind.String, param, "a string or an array of strings");
        }
    };

    /// <summary>The numbers of a prompt that is already in tokens.</summary>
    public static void Tokens(JsonElement tokens, string param) => Tokens(tokens, param, isIndexed: true);

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

    public static FieldCheck Integer(long least, long most) => (value, param) =>
    {
        AnyInteger(value, param);
        Value(value.TryGetInt64(out var number) && number >= least && number <= most, param, most == long.MaxValue ? $"it must be {least} or more" : $"it must be between {least} and {most}");
    };

    public static FieldCheck Number(double least, double most) => (value, param) =>
    {
        Type(value.ValueKind == JsonValueKind.Number, param, "a number");
        Value(value.TryGetDouble(out var number) && number >= least && number <= most, param, $"it must be between {least} and {most}");
    };

    public static FieldCheck OneOf(params string[] values) => (value, param) =>
    {
        Text(value, param);
        Value(values.Any(value.ValueEquals), param, $"it must be one of {string.Join(", ", values)}");
    };

    public static void Type(bool isRight, string param, string expected)
    {
        if (!isRight)
        {
            throw new RequestRejectedException(OpenAiError.InvalidType(param, expected));
        }
    }

    public static void Value(bool isRight, string param, string rule)
    {
        if (!isRight)
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

        foreach (var character in System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value))
        {
            if (character is (byte)'.' or (byte)'e' or (byte)'E')
            {
                return false;
            }
        }

        return true;
    }
}

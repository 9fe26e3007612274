using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>The members that chats and completions share: streaming, number of choices, and how tokens are chosen.</summary>
internal static class Sampling
{
    public static (string Name, FieldRule Rule)[] Rules { get; } =
    [
        ("stream", FieldRule.Translate(FieldChecks.Boolean)),
        ("stream_options", FieldRule.Translate().WithMembers(ChatMembers.StreamOptions)),
        ("n", FieldRule.Translate(FieldChecks.Integer(1, 128))),
        ("temperature", FieldRule.Pass(FieldChecks.Number(0, 2))),
        ("top_p", FieldRule.Translate(FieldChecks.Number(0, 1))),
        ("presence_penalty", FieldRule.Pass(FieldChecks.Number(-2, 2))),
        ("frequency_penalty", FieldRule.Pass(FieldChecks.Number(-2, 2))),
        ("seed", FieldRule.Pass(FieldChecks.AnyInteger)),
        ("stop", FieldRule.Pass(FieldChecks.Stop)),
        ("logit_bias", FieldRule.Pass(FieldChecks.Object).Requires(BackendFeatures.LogitBias)),
    ];

    public static void CheckStreamOptions(JsonElement request)
    {
        if (request.Member("stream_options") is { } options)
        {
            FieldChecks.Object(options, "stream_options");
            FieldChecks.Value(request.Member("stream") is { ValueKind: JsonValueKind.True }, "stream_options", "it is for streams only");
            if (options.Member("include_usage") is { } usage)
            {
                FieldChecks.Boolean(usage, "stream_options.include_usage");
            }
        }
    }

    public static ClientRequest Read(JsonElement request, ClientRequest read) => read with
    {
        IsStream = request.Member("stream") is { ValueKind: JsonValueKind.True },
        WantsUsage = request.Member("stream_options")?.Member("include_usage") is { ValueKind: JsonValueKind.True },
        Choices = request.Member("n")?.GetInt32() ?? 1,
    };

    public static void Write(JsonElement request, Utf8JsonWriter json, BackendProtocol backend)
    {
        WriteStreamOptions(request, json, backend);
        if (request.Member("n") is { } n && n.GetInt32() is > 1 and var choices)
        {
            if (!backend.Supports(BackendFeatures.MultipleChoices))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue("n", "this model makes one choice"));
            }

            json.WriteNumber("n", choices);
        }

        if (request.Member("top_p") is { } topP)
        {
            json.WritePropertyName("top_p");
            if (topP.GetDouble() < backend.MinTopP)
            {
                json.WriteNumberValue(backend.MinTopP);
            }
            else
            {
                json.WriteRaw(topP);
            }
        }
    }

    /// <summary>
    /// Always asks for usage. The value is explicit because one server takes an empty object for true and another for false. Usage with each event makes it known also where the client ends the stream.
    /// </summary>
    private static void WriteStreamOptions(JsonElement request, Utf8JsonWriter json, BackendProtocol backend)
    {
        if (request.Member("stream") is { ValueKind: JsonValueKind.True })
        {
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            if (backend.Supports(BackendFeatures.ContinuousUsage))
            {
                json.WriteBoolean("continuous_usage_stats", true);
            }

            json.WriteEndObject();
        }
    }
}

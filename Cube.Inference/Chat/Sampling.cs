using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>The members that chats and completions share: streaming, number of choices and sampling.</summary>
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
            FieldChecks.Require(request.Member("stream") is { ValueKind: JsonValueKind.True }, "stream_options", "it is allowed only with stream set to true");
            if (options.Member("include_usage") is { } usage)
            {
                FieldChecks.Boolean(usage, "stream_options.include_usage");
            }
        }
    }

    public static ClientRequest Read(JsonElement request, ClientRequest client) => client with
    {
        IsStream = request.Member("stream") is { ValueKind: JsonValueKind.True },
        IncludesUsage = request.Member("stream_options")?.Member("include_usage") is { ValueKind: JsonValueKind.True },
        Choices = request.Member("n")?.GetInt32() ?? 1,
    };

    public static void Write(JsonElement request, Utf8JsonWriter json, BackendProtocol backend)
    {
        WriteStreamOptions(request, json, backend);
        if (request.Member("n") is { } n && n.GetInt32() is > 1 and var choices)
        {
            if (!backend.Supports(BackendFeatures.MultipleChoices))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue("n", "this model supports one choice"));
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
    /// Always requests the usage. The value is explicit because model servers have different defaults for an empty object. Usage in each event is known also if the client closes the stream early.
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

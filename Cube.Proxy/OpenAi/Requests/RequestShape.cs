using System.Collections.Frozen;
using System.Text.Json;
using Cube.Proxy.OpenAi.Requests.Responses;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>What is particular to the body of one endpoint.</summary>
internal abstract class RequestShape
{
    private const double LeastTopP = 1e-6;

    protected abstract FieldRules Rules { get; }

    /// <summary>The members of a whole answer, where it is no answer of OpenAI's: each as it is, but for <c>id</c> and <c>model</c>, which are the gateway's own.</summary>
    public virtual IReadOnlyList<string>? Answer => null;

    /// <summary>Whether the endpoint keeps beginnings of prompts.</summary>
    protected virtual bool HasCacheSalt => true;

    /// <param name="request">The whole request.</param>
    /// <param name="ignored">Takes the names that the endpoint does not know.</param>
    /// <param name="images">Counts the request's images.</param>
    /// <exception cref="RefusedException">The request breaks a rule that holds in front of every model server.</exception>
    public void Check(JsonElement request, IgnoredMembers ignored, ImageAllowance images)
    {
        Rules.CheckNames(request, ignored);
        var model = ModelOf(request);
        Checks.Text(model, "model");
        if (model.ValueEquals(""u8))
        {
            throw new RefusedException(OpenAiError.MissingParameter("model"));
        }

        Rules.Check(request);
        CheckOwn(request);
        foreach (var image in ImagesOf(request))
        {
            images.Take(image);
        }
    }

    /// <summary>What the answer depends on. Only members that the endpoint knows were looked at before, and only those are read.</summary>
    public virtual ClientRequest Read(JsonElement request) => new() { Model = ModelOf(request).GetString()! };

    /// <param name="request">A request that was checked.</param>
    /// <param name="json">Where the model server's request is written.</param>
    /// <param name="target">What it is written for.</param>
    /// <param name="ct">Ends the work where the client has gone.</param>
    /// <exception cref="RefusedException">This kind of model server cannot do what is asked.</exception>
    public virtual void Write(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        json.WriteStartObject();
        json.WriteString("model", target.Model);
        Rules.Write(request, json, target.Kind);
        WriteOwn(request, json, target, ct);
        if (target.Kind == BackendKind.Vllm && HasCacheSalt)
        {
            json.WriteString("cache_salt", target.CacheSalt);
        }

        json.WriteEndObject();
    }

    /// <exception cref="RefusedException">None is named.</exception>
    protected virtual JsonElement ModelOf(JsonElement request) => request.Required("model", "model");

    protected virtual void CheckOwn(JsonElement request)
    {
    }

    protected abstract void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct);

    /// <summary>The images of a request whose other checks it has passed.</summary>
    protected virtual IEnumerable<SentImage> ImagesOf(JsonElement request) => [];

    /// <summary>Ollama's clients of old call the model so.</summary>
    protected static JsonElement ModelOrName(JsonElement request) => request.Member("model") ?? request.Required("name", "model");

    protected static void CheckStream(JsonElement request)
    {
        if (request.Member("stream_options") is { } options)
        {
            Checks.Object(options, "stream_options");
            Checks.Value(request.Member("stream") is { ValueKind: JsonValueKind.True }, "stream_options", "it is for streams only");
            if (options.Member("include_usage") is { } usage)
            {
                Checks.Boolean(usage, "stream_options.include_usage");
            }
        }
    }

    /// <summary>
    /// Usage is always asked for, and said explicitly: one server takes an empty object for yes, the other for no. vLLM tells it with each
    /// event where it is asked to, so that it is known of an answer that a client leaves.
    /// </summary>
    private static void WriteStream(JsonElement request, Utf8JsonWriter json, BackendKind kind)
    {
        if (request.Member("stream") is { ValueKind: JsonValueKind.True })
        {
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            if (kind == BackendKind.Vllm)
            {
                json.WriteBoolean("continuous_usage_stats", true);
            }

            json.WriteEndObject();
        }
    }

    protected static ClientRequest ReadSampling(JsonElement request, ClientRequest read) => read with
    {
        IsStream = request.Member("stream") is { ValueKind: JsonValueKind.True },
        WantsUsage = request.Member("stream_options")?.Member("include_usage") is { ValueKind: JsonValueKind.True },
        Choices = request.Member("n")?.GetInt32() ?? 1,
    };

    /// <summary>One choice is what every server makes. vLLM's <c>top_p</c> is above 0; the smallest leaves the likeliest token alone, as 0 does.</summary>
    protected static void WriteSampling(JsonElement request, Utf8JsonWriter json, BackendKind kind)
    {
        WriteStream(request, json, kind);
        if (request.Member("n") is { } n && n.GetInt32() is > 1 and var many)
        {
            if (kind != BackendKind.Vllm)
            {
                throw new RefusedException(OpenAiError.UnsupportedValue("n", "this model makes one choice"));
            }

            json.WriteNumber("n", many);
        }

        if (request.Member("top_p") is { } topP)
        {
            json.WritePropertyName("top_p");
            if (kind == BackendKind.Vllm && topP.GetDouble() < LeastTopP)
            {
                json.WriteNumberValue(LeastTopP);
            }
            else
            {
                json.WriteRaw(topP);
            }
        }
    }

    /// <summary>Members that mean something to OpenAI, to SDKs or to vLLM, and nothing that may pass from a client.</summary>
    protected static Dictionary<string, FieldRule> Common(params (string Name, FieldRule Rule)[] own)
    {
        var rules = new Dictionary<string, FieldRule>(StringComparer.Ordinal)
        {
            ["model"] = FieldRule.Own(),
            ["user"] = FieldRule.Drop(Checks.Text),
        };
        foreach (var (name, rule) in own)
        {
            rules[name] = rule;
        }

        return rules;
    }

    /// <summary>What governs the choice of tokens, alike in both endpoints that generate.</summary>
    protected static (string Name, FieldRule Rule)[] Sampling { get; } =
    [
        ("stream", FieldRule.Own(Checks.Boolean)),
        ("stream_options", FieldRule.Own().Holding(KnownMembers.StreamOptions)),
        ("n", FieldRule.Own(Checks.Integer(1, 128))),
        ("temperature", FieldRule.Pass(Checks.Number(0, 2))),
        ("top_p", FieldRule.Own(Checks.Number(0, 1))),
        ("presence_penalty", FieldRule.Pass(Checks.Number(-2, 2))),
        ("frequency_penalty", FieldRule.Pass(Checks.Number(-2, 2))),
        ("seed", FieldRule.Pass(Checks.AnyInteger)),
        ("stop", FieldRule.Pass(Checks.Stop)),
        ("logit_bias", new FieldRule(Checks.Object, Fate.Refuse, Fate.Pass)),
    ];
}

internal static class RequestShapes
{
    public static ChatShape OfChat { get; } = new();

    private static readonly FrozenDictionary<InferenceEndpoint, RequestShape> _shapes = new Dictionary<InferenceEndpoint, RequestShape>
    {
        [InferenceEndpoints.ChatCompletions] = OfChat,
        [InferenceEndpoints.Completions] = new CompletionShape(),
        [InferenceEndpoints.Embeddings] = new EmbeddingShape(),
        [InferenceEndpoints.Responses] = new ResponsesShape(),
        [InferenceEndpoints.Tokenize] = UtilityShape.Tokenize,
        [InferenceEndpoints.Detokenize] = UtilityShape.Detokenize,
        [InferenceEndpoints.Pooling] = UtilityShape.Pooling,
        [InferenceEndpoints.Classify] = UtilityShape.Classify,
        [InferenceEndpoints.Score] = UtilityShape.Score,
        [InferenceEndpoints.ScoreV1] = UtilityShape.Score,
        [InferenceEndpoints.Rerank] = UtilityShape.Rerank,
        [InferenceEndpoints.RerankV1] = UtilityShape.Rerank,
        [InferenceEndpoints.NativeChat] = NativeShape.Chat,
        [InferenceEndpoints.NativeGenerate] = NativeShape.Generate,
        [InferenceEndpoints.NativeEmbed] = NativeShape.Embed,
        [InferenceEndpoints.NativeEmbeddings] = NativeShape.Embeddings,
        [InferenceEndpoints.NativeShow] = new ShowShape(),
        [InferenceEndpoints.NativePull] = WeightShape.Pull,
        [InferenceEndpoints.NativeCreate] = WeightShape.Create,
        [InferenceEndpoints.NativeCopy] = WeightShape.Copy,
        [InferenceEndpoints.NativeDelete] = WeightShape.Delete,
    }.ToFrozenDictionary();

    public static RequestShape Of(InferenceEndpoint endpoint) => _shapes[endpoint];
}

/// <param name="Kind">The model server's kind.</param>
/// <param name="Model">The exact id in its list.</param>
/// <param name="CacheSalt">Keeps this user's prompts out of everybody else's prefix cache.</param>
internal readonly record struct RequestTarget(BackendKind Kind, string Model, string CacheSalt);

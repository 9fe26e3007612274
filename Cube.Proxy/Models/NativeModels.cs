using System.Net;
using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Forwarding;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Answers;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models;

/// <summary>
/// Ollama's own lists, of its models and of those that run now, as far as they are the caller's; and its version. In front of another
/// server there are none of them.
/// </summary>
internal sealed class NativeModels(ServedModels models, AttestedBackends backends, PoliciesInForce inForce, Permissions permissions)
{
    private const int MostBytes = 1 << 20;

    /// <summary>Not until when a model stays: that would tell when somebody, of whatever domain, has used it last.</summary>
    private static readonly string[] _members = ["modified_at", "size", "digest", "size_vram", "context_length"];

    public async Task AnswerAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (await models.FindAsync(context, request.Route!) is not { } list)
        {
            return;
        }

        var offered = list.Offered(inForce.Current.CatalogueOf(request.DomainId)).ToList();
        var access = await permissions.FindAsync(
            request.Caller!, request.DomainId, request.Endpoint!.Action, [.. offered.Select(static offer => offer.Id)], request.Access!, context.RequestAborted);
        if (!request.Access!.Reaches(access))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        if (list.Kind != BackendKind.Ollama)
        {
            await OpenAiError.NotServed.WriteAsync(context);
            return;
        }

        if (await AskAsync(context, request) is not { } answer)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
            return;
        }

        using (answer)
        {
            context.Response.ContentType = "application/json";
            await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
            json.WriteStartObject();
            if (request.Endpoint == InferenceEndpoints.NativeVersion)
            {
                json.WriteString("version", answer.RootElement.Member("version") is { ValueKind: JsonValueKind.String } version ? version.GetString() : null);
            }
            else
            {
                Write(answer.RootElement, json, offered.Zip(access).Where(static pair => pair.Second.IsAllowed).Select(static pair => pair.First));
            }

            json.WriteEndObject();
        }
    }

    private static void Write(JsonElement answer, Utf8JsonWriter json, IEnumerable<Offer> permitted)
    {
        var told = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var model in answer.Member("models") is { ValueKind: JsonValueKind.Array } models ? models.EnumerateArray() : default)
        {
            if (model.ValueKind == JsonValueKind.Object && model.Member("name") is { ValueKind: JsonValueKind.String } name && name.GetString() is { } id)
            {
                told.TryAdd(id, model);
            }
        }

        json.WriteStartArray("models");
        foreach (var offer in permitted)
        {
            if (told.TryGetValue(offer.Model.Id, out var model))
            {
                Write(json, offer.Id, model);
            }
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string id, JsonElement model)
    {
        json.WriteStartObject();
        json.WriteString("name", id);
        json.WriteString("model", id);
        foreach (var member in _members)
        {
            if (model.Member(member) is { ValueKind: JsonValueKind.String or JsonValueKind.Number } value)
            {
                json.WriteRaw(member, value);
            }
        }

        if (model.Member("details") is { } details)
        {
            json.WritePropertyName("details");
            ModelDetails.Write(details, json);
        }

        json.WriteEndObject();
    }

    /// <returns>Null where the model server gave no usable answer.</returns>
    private async Task<JsonDocument?> AskAsync(HttpContext context, DomainRequest request)
    {
        try
        {
            var channel = await backends.GetAsync(request.Route!, request.DomainId, context.RequestAborted);
            context.Describe(channel.Verdict);
            using var message = channel.Get(request.Route!.PathOf(request.Endpoint!.Path));
            using var response = await channel.Invoker.SendAsync(message, context.RequestAborted);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                return null;
            }

            await response.Content.LoadIntoBufferAsync(MostBytes, context.RequestAborted);
            // From a stream: a byte order mark is skipped.
            var document = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(context.RequestAborted), cancellationToken: context.RequestAborted);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or AttestationException)
        {
            // Said by the caller: the model server gave nothing.
        }

        return null;
    }
}

using System.Net;
using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Forwarding;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models;

/// <summary>Ollama's own list of its models, those of the caller, and its version. In front of another server there is neither.</summary>
internal sealed class NativeModels(ModelCatalogue catalogue, AttestedBackends backends, Permissions permissions)
{
    private const int MostBytes = 1 << 20;
    private static readonly string[] _members = ["name", "model", "modified_at", "size", "digest", "details"];

    public async Task AnswerAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (await catalogue.FindAsync(context, request.Route!) is not { } list)
        {
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
                json.WriteString("version", answer.RootElement.Member("version")?.GetString());
            }
            else
            {
                await WriteAsync(answer.RootElement, json, context, list);
            }

            json.WriteEndObject();
        }
    }

    private async Task WriteAsync(JsonElement answer, Utf8JsonWriter json, HttpContext context, ModelList list)
    {
        var request = DomainRequest.Of(context);
        var access = await permissions.FindAsync(request.Caller!, request.DomainId, request.Endpoint!.Action, list.Ids, request.Access!, context.RequestAborted);
        var allowed = list.Ids.Zip(access).Where(static pair => pair.Second.IsAllowed).Select(static pair => pair.First).ToHashSet(StringComparer.Ordinal);
        json.WriteStartArray("models");
        foreach (var model in answer.Member("models")?.EnumerateArray() ?? [])
        {
            if (model.Member("name") is { ValueKind: JsonValueKind.String } name && allowed.Contains(name.GetString()!))
            {
                json.WriteStartObject();
                foreach (var member in _members)
                {
                    if (model.Member(member) is { } value)
                    {
                        json.WriteRaw(member, value);
                    }
                }

                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
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
            var document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(context.RequestAborted));
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

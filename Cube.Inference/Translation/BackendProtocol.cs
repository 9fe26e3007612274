using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>
/// How the API of one kind of model server differs from OpenAI's API. The base class describes a server that follows OpenAI's API and has no optional features; each kind of server overrides the differences.
/// Translators use only these members and never test the kind of server.
/// </summary>
public abstract class BackendProtocol
{
    /// <summary>The name in the agent's configuration and in its response headers.</summary>
    public abstract string Name { get; }

    /// <summary>A path, relative to the address of the model server, that answers 2xx while it can serve requests.</summary>
    public virtual string HealthPath => "";

    public virtual BackendFeatures Features => BackendFeatures.None;

    /// <summary>The smallest accepted <c>top_p</c>. The proxy raises smaller values to it.</summary>
    public virtual double MinTopP => 0;

    public bool Supports(BackendFeatures features) => (Features & features) == features;

    /// <param name="path">A path of OpenAI's API.</param>
    /// <returns>The equivalent path of the model server.</returns>
    public virtual string PathOf(string path) => path;

    /// <param name="effort">One of OpenAI's values of <c>reasoning_effort</c>.</param>
    /// <returns>The nearest value that the model server accepts.</returns>
    public virtual string ReasoningEffortOf(string effort) => effort;

    /// <summary>Writes the schema of a structured output as a JSON value.</summary>
    /// <exception cref="RequestRejectedException">The model server does not support the schema.</exception>
    public virtual void WriteOutputSchema(JsonElement schema, string param, Utf8JsonWriter json, CancellationToken ct) => json.WriteRaw(schema);

    /// <summary>Writes the schema of a tool's parameters as a JSON value.</summary>
    public virtual void WriteToolSchema(JsonElement schema, Utf8JsonWriter json) => json.WriteRaw(schema);

    /// <summary>Writes the optional members of an embeddings request.</summary>
    public virtual void WriteEmbeddingOptions(JsonElement request, Utf8JsonWriter json)
    {
        if (request.Member("encoding_format") is { } format)
        {
            json.WriteRaw("encoding_format", format);
        }
    }

    /// <summary>Requests that the proxy sends first, if the model server could otherwise alter the client's request without an error.</summary>
    /// <param name="path">The request's path in OpenAI's API.</param>
    /// <param name="body">The request body for the model server.</param>
    public virtual IReadOnlyList<PreflightQuestion> PreflightFor(string path, ReadOnlyMemory<byte> body) => [];
}

/// <summary>A request to the model server whose response decides whether the client's request is sent.</summary>
/// <param name="Path">The path at the model server.</param>
/// <param name="Body">The JSON body.</param>
/// <param name="FindError">Gets the status and body of the response; returns the client's error, or null to continue.</param>
public sealed record PreflightQuestion(string Path, ReadOnlyMemory<byte> Body, Func<int, ReadOnlyMemory<byte>, OpenAiError?> FindError);

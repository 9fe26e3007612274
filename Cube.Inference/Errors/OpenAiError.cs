using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Inference.Errors;

/// <summary>
/// An error in OpenAI's format: <c>message</c>, <c>type</c>, <c>param</c> and <c>code</c>. The message never names a backend, an address or an exception.
/// </summary>
public sealed record OpenAiError(int Status, string Type, string Code, string Message, string? Param = null)
{
    /// <summary>The header <c>retry-after</c> in seconds, 1 to 60. OpenAI's SDKs use shorter delays of their own for other values.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>The header <c>x-should-retry</c>: false if a retry cannot succeed.</summary>
    public bool ShouldRetry { get; init; } = true;

    /// <summary>Reads an error that another component of Cube wrote.</summary>
    /// <returns>Null if the JSON is not an error in OpenAI's format.</returns>
    public static OpenAiError? Parse(int status, ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            return JsonElement.ParseValue(ref reader).Deserialize(OpenAiErrorJson.Default.Envelope) is { Error: { Message: not null, Type: not null, Code: not null } error }
                ? new OpenAiError(status, error.Type, error.Code, error.Message, error.Param)
                {
                    ShouldRetry = status >= 500,
                    RetryAfter = status >= 500 ? 1 : null,
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal sealed record Envelope(Body? Error);

    internal sealed record Body(string? Message, string? Type, string? Code, string? Param);

    /// <summary>Writes the JSON object <c>{"error":{…}}</c>.</summary>
    public ReadOnlyMemory<byte> ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer, Readable);
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", Message);
        json.WriteString("type", Type);
        json.WriteString("param", Param);
        json.WriteString("code", Code);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    // The body is application/json, never HTML: apostrophes and brackets need no escape.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const string InvalidRequest = "invalid_request_error";
    private const string Server = "server_error";

    private static OpenAiError Invalid(int status, string code, string message, string? param = null) =>
        new(status, InvalidRequest, code, message, param) { ShouldRetry = false };

    public static OpenAiError MissingApiKey { get; } = Invalid(401, "missing_api_key", "The request has no API key. Send 'Authorization: Bearer <token>'.");
    public static OpenAiError InvalidApiKey { get; } = Invalid(401, "invalid_api_key", "The API key is not valid.");
    public static OpenAiError TokenExpired { get; } = Invalid(401, "token_expired", "The token has expired. Refresh it.");
    public static OpenAiError PermissionDenied { get; } =
        new(403, "permission_error", "permission_denied", "You have no access to this domain.") { ShouldRetry = false };
    public static OpenAiError InsufficientPermissions { get; } =
        new(403, "permission_error", "insufficient_permissions", "Your role or token does not allow this.") { ShouldRetry = false };
    public static OpenAiError DomainDisabled { get; } =
        new(403, "permission_error", "domain_disabled", "This domain is disabled.") { ShouldRetry = false };
    public static OpenAiError InvalidPath { get; } = Invalid(400, "invalid_path", "The path is malformed.");
    public static OpenAiError InvalidJson { get; } = Invalid(400, "invalid_json", "The body is not a JSON object.");
    public static OpenAiError InvalidRequestBody { get; } = Invalid(400, "invalid_value", "The model server rejected the request.");
    public static OpenAiError BadHttp { get; } = Invalid(400, "invalid_request", "The request is not valid HTTP.");
    public static OpenAiError ContextLengthExceeded { get; } =
        Invalid(400, "context_length_exceeded", "The prompt is longer than the model's context.", "messages");
    public static OpenAiError UnknownUrl { get; } = Invalid(404, "unknown_url", "This endpoint does not exist.");
    public static OpenAiError ModelNotFound { get; } = Invalid(404, "model_not_found", "The model does not exist or you have no access to it.", "model");
    public static OpenAiError NotServed { get; } = Invalid(404, "unknown_url", "The model does not serve this endpoint.");
    public static OpenAiError MethodNotAllowed { get; } = Invalid(405, "method_not_allowed", "This endpoint does not support the method.");
    public static OpenAiError RequestTooLarge { get; } = Invalid(413, "request_too_large", "The request body is too large.");
    public static OpenAiError UnsupportedMediaType { get; } = Invalid(415, "unsupported_media_type", "The body must be application/json without compression.");
    public static OpenAiError UnsupportedFormType { get; } = Invalid(415, "unsupported_media_type", "The body must be multipart/form-data without compression.");
    public static OpenAiError InvalidForm { get; } = Invalid(400, "invalid_form", "The body is not a valid multipart form.");
    public static OpenAiError ModelsFixed { get; } =
        new(403, "permission_error", "models_fixed", "The models of this machine cannot be changed. The attestation policy or the machine does not allow it.") { ShouldRetry = false };
    public static OpenAiError HeadersTooLarge { get; } = Invalid(431, "headers_too_large", "The request headers are too large.");
    public static OpenAiError InternalError { get; } = new(500, Server, "internal_error", "Cube failed to handle the request.") { RetryAfter = 1 };
    public static OpenAiError UpstreamError { get; } = new(502, Server, "upstream_error", "The model server returned no valid response.") { RetryAfter = 1 };
    public static OpenAiError ModelChangeFailed { get; } = new(502, Server, "upstream_error", "The machine could not change its models. The model library or the disk failed.") { RetryAfter = 1 };
    public static OpenAiError Unavailable { get; } = new(503, Server, "unavailable", "Cube cannot check this request now.") { RetryAfter = 2 };
    public static OpenAiError NoRoute { get; } = new(502, Server, "no_route", "No route matches this request.") { RetryAfter = 60, ShouldRetry = false };
    public static OpenAiError AttestationRequired { get; } =
        new(503, Server, "attestation_required", "No attested model server is available yet.") { RetryAfter = 5 };
    public static OpenAiError AttestationRefused { get; } =
        new(503, Server, "attestation_required", "No model server satisfies the attestation policy of this domain.") { RetryAfter = 60, ShouldRetry = false };
    public static OpenAiError AttestationFailed { get; } =
        new(503, Server, "attestation_failed", "The attestation of the model server failed.") { RetryAfter = 60, ShouldRetry = false };
    public static OpenAiError EvidenceUnavailable { get; } = new(503, Server, "evidence_unavailable", "The machine cannot provide evidence now.") { RetryAfter = 2 };
    public static OpenAiError InvalidAttestationRequest { get; } = Invalid(
        400, "invalid_value", "report_data (at most 64 bytes) and nonce (at most 32 bytes) must be base64, and to_json must be a boolean.");
    public static OpenAiError Overloaded { get; } = new(503, Server, "overloaded", "The model server is busy.") { RetryAfter = 2 };
    public static OpenAiError TooBusy { get; } = new(503, Server, "overloaded", "Cube has reached its limit of concurrent requests.") { RetryAfter = 2 };
    public static OpenAiError TooManyRequests { get; } =
        new(429, "rate_limit_error", "rate_limit_exceeded", "Too many requests, or too much data in them, are in progress at the same time.") { RetryAfter = 2 };
    public static OpenAiError TooManyTokens { get; } = Invalid(413, "request_too_large", "The request body has too many JSON values.");
    public static OpenAiError UpstreamTimeout { get; } = new(504, Server, "upstream_timeout", "The model server did not answer in time.") { RetryAfter = 1 };

    public static OpenAiError MissingParameter(string param) =>
        Invalid(400, "missing_required_parameter", $"Missing required parameter: '{param}'.", param);

    public static OpenAiError InvalidValue(string param, string message) => Invalid(400, "invalid_value", message, param);

    /// <summary>A member of OpenAI's API that Cube or the model does not support.</summary>
    public static OpenAiError UnsupportedParameter(string param) =>
        Invalid(400, "unsupported_parameter", $"Unsupported parameter: '{param}' is not supported here.", param);

    public static OpenAiError UnsupportedValue(string param, string reason) =>
        Invalid(400, "unsupported_value", $"Unsupported value for '{param}': {reason}.", param);

    public static OpenAiError InvalidType(string param, string expected) =>
        Invalid(400, "invalid_type", $"Invalid type for '{param}': expected {expected}.", param);
}

[JsonSerializable(typeof(OpenAiError.Envelope))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class OpenAiErrorJson : JsonSerializerContext;

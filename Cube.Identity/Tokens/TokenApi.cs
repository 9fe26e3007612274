using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.Identity.Relations;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Tokens;

using Issued = Results<Created<TokenPair>, JsonHttpResult<ManagementError>>;

internal static class TokenApi
{
    public static IEndpointRouteBuilder MapTokens(this IEndpointRouteBuilder endpoints)
    {
        var tokens = endpoints.MapGroup("/users/tokens").AddEndpointFilter(NotStored).InForceWhenAnswered().WithTags("Tokens");
        tokens.MapPost("/issue", Issue).AllowAnonymous().QueuesForPasswords();
        tokens.MapPost("/refresh", Refresh).AllowAnonymous();
        tokens.MapPost("/revoke", Revoke);
        tokens.MapGet("/refresh-tokens", List);
        tokens.MapGet("/introspect", Introspect).WithMetadata(TakesPersonalTokens.Instance);
        return endpoints;
    }

    private static ValueTask<object?> NotStored(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        context.HttpContext.Response.Headers.CacheControl = "no-store";
        return next(context);
    }

    internal sealed record IssueRequest(string? Username, string? Password, string? Description);

    /// <summary>Unknown user, wrong password, disabled and unverified account answer alike and take the same work.</summary>
    private static async Task<Issued> Issue(
        IssueRequest request, HttpContext context, UserStore users, Passwords passwords, LoginThrottle throttle, SessionStore sessions, CancellationToken ct)
    {
        if (request.Username is not { Length: > 0 and <= UserRules.MaxText } name || request.Password is not { Length: > 0 and <= UserRules.MaxText } password)
        {
            return Requests.Invalid("username and password are needed, of at most 1024 characters each.");
        }

        if (request.Description is { Length: > UserRules.MaxText })
        {
            return Requests.Invalid("description must not be longer than 1024 characters.");
        }

        var user = await users.FindByNameAsync(name, ct);
        using var attempt = await throttle.BeginAsync(user, name, context.Connection.RemoteIpAddress, ct);
        if (await attempt.WaitAsync(ct) is { } wait)
        {
            return PasswordCheck.TooMany(context, wait);
        }

        if (passwords.Verify(user, password) && user is { Status: "enabled", VerifiedAt: not null }
            && await sessions.StartAsync(user, request.Description, ct) is { } pair)
        {
            await attempt.SucceededAsync();
            return TypedResults.Created((string?)null, pair);
        }

        return await attempt.FailedAsync() is { } pause
            ? PasswordCheck.TooMany(context, pause)
            : Requests.Fail(StatusCodes.Status401Unauthorized, "invalid_credentials", "The user name or the password is wrong.");
    }

    /// <summary>The Bearer wins and the body is then ignored; without one the body's <c>token</c> counts.</summary>
    private static async Task<Issued> Refresh(HttpContext context, TokenReader tokens, SessionStore sessions, CancellationToken ct)
    {
        var token = BearerToken.Read(context.Request.Headers);
        if (token is null)
        {
            var (body, fault) = await ReadAsync(context, "token", ct);
            if (fault is not null)
            {
                return fault;
            }

            token = body;
        }

        var read = string.IsNullOrEmpty(token) ? null : await tokens.ReadAsync(token, TokenFormat.RefreshTyp, ct);
        if (read is not null && await sessions.RotateAsync(read, ct) is { } pair)
        {
            return TypedResults.Created((string?)null, pair);
        }

        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return Requests.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "A current refresh token is needed.");
    }

    /// <summary>Ends the session that <c>token_id</c> names, or the caller's own where there is no body.</summary>
    private static async Task<Results<NoContent, JsonHttpResult<ManagementError>>> Revoke(
        HttpContext context, Caller caller, SessionStore sessions, CancellationToken ct)
    {
        var session = caller.SessionId;
        if (context.Request.ContentLength is > 0 || context.Request.Headers.TransferEncoding.Count > 0)
        {
            var (id, fault) = await ReadAsync(context, "token_id", ct);
            if (fault is not null)
            {
                return fault;
            }

            if (!Guid.TryParse(id, out session))
            {
                return Requests.Invalid("token_id must be an id of the list of refresh tokens.");
            }
        }

        return await sessions.RevokeAsync(session, caller.UserId, ct)
            ? TypedResults.NoContent()
            : Requests.Fail(StatusCodes.Status404NotFound, "not_found", "You have no such session.");
    }

    /// <param name="UserId">Whose token it is.</param>
    /// <param name="TokenId">The id of the personal access token; absent where it is a login's.</param>
    internal sealed record Introspection(
        Guid UserId, [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] Guid? TokenId);

    /// <summary>Whether a token of whatever kind is good now, and whose: what proxies ask of those that they cannot read.</summary>
    private static Ok<Introspection> Introspect(Caller caller) => TypedResults.Ok(new Introspection(caller.UserId, caller.PatId));

    private static async Task<Ok<RefreshTokens>> List(Caller caller, SessionStore sessions, CancellationToken ct) =>
        TypedResults.Ok(new RefreshTokens(await sessions.ActiveAsync(caller.UserId, ct)));

    internal sealed record RefreshTokens(IEnumerable<ActiveSession> Tokens)
    {
        [System.Text.Json.Serialization.JsonPropertyName("refresh_tokens")]
        public IEnumerable<ActiveSession> Tokens { get; } = Tokens;
    }

    /// <summary>One text member of a JSON body, read by hand: whether there must be a body depends on the rest of the request.</summary>
    private static async Task<(string? Value, JsonHttpResult<ManagementError>? Fault)> ReadAsync(HttpContext context, string member, CancellationToken ct)
    {
        if (!context.Request.HasJsonContentType())
        {
            return (null, TypedResults.Json(
                ManagementError.Of(StatusCodes.Status415UnsupportedMediaType), statusCode: StatusCodes.Status415UnsupportedMediaType));
        }

        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: ct);
            return body.RootElement is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
                    ? (text, null)
                    : (null, Requests.Invalid($"{member} is needed."));
        }
        catch (JsonException)
        {
            return (null, Requests.Invalid("The body is not valid JSON."));
        }
    }
}

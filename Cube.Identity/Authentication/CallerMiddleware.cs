using Cube.Identity.Callers;
using Cube.Identity.Pats;
using Cube.Identity.Tokens;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Dapper;
using Microsoft.AspNetCore.Authorization;
using Npgsql;

namespace Cube.Identity.Authentication;

/// <summary>
/// Authenticates the caller with an access token of an active session, or with a personal access token where the endpoint accepts one.
/// Every endpoint requires a token unless it has <c>AllowAnonymous</c> metadata. A valid token identifies the caller there too.
/// </summary>
internal sealed class CallerMiddleware(RequestDelegate next, TokenReader tokens, PatStore pats, NpgsqlDataSource database)
{
    public async Task InvokeAsync(HttpContext context)
    {
        // Endpoints that are not routes are routing's own answers 405 and 415.
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
        {
            await next(context);
            return;
        }

        var anonymous = endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null;
        var token = BearerToken.Read(context.Request.Headers);
        var caller = string.IsNullOrEmpty(token) ? null : await FindAsync(token, context.RequestAborted);
        if (caller is null && !anonymous)
        {
            context.Response.Headers.WWWAuthenticate = token is null ? "Bearer" : "Bearer error=\"invalid_token\"";
            await ManagementError.Of(StatusCodes.Status401Unauthorized).WriteAsync(context, StatusCodes.Status401Unauthorized);
            return;
        }

        // Scopes cannot name the other endpoints, so a personal access token cannot call them.
        if (caller is { PatId: not null } && endpoint.Metadata.GetMetadata<PersonalAccessTokenMetadata>() is null)
        {
            await ManagementError.Of(StatusCodes.Status403Forbidden).WriteAsync(context, StatusCodes.Status403Forbidden);
            return;
        }

        context.Features.Set(caller);
        await next(context);
    }

    private async Task<Caller?> FindAsync(string token, CancellationToken ct)
    {
        if (token.StartsWith(PatSecret.Prefix, StringComparison.Ordinal))
        {
            return await pats.UseAsync(token, ct) is { } pat ? new Caller(pat.UserId, Guid.Empty, IsAdministrator: false, pat.Id) : null;
        }

        if (await tokens.ReadAsync(token, TokenFormat.AccessTyp, ct) is not { } read)
        {
            return null;
        }

        await using var connection = await database.OpenConnectionAsync(ct);
        var role = await connection.QuerySingleOrDefaultAsync<string>(new CommandDefinition(
            """
            select u.role from sessions s join users u on u.id = s.user_id
            where s.id = @SessionId and u.id = @UserId and s.revoked_at is null and u.status = 'enabled'
            """,
            new { read.SessionId, read.UserId },
            cancellationToken: ct));
        return role is null ? null : new Caller(read.UserId, read.SessionId, role == "admin");
    }
}

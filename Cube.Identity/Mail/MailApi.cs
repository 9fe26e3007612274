using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Database;
using Cube.Identity.Synchronization;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace Cube.Identity.Mail;

using MessageResult = Results<Created<MailApi.Message>, JsonHttpResult<ManagementError>>;

/// <summary>Endpoints that use e-mail: address verification and password reset. The responses do not reveal whether an address has an account.</summary>
internal static class MailApi
{
    public static IEndpointRouteBuilder MapMail(this IEndpointRouteBuilder endpoints)
    {
        var all = endpoints.MapGroup("").RequireSynchronized().WithTags("Mail").AllowAnonymous();
        all.MapPost("/users/send-verification", SendVerification);
        all.MapGet("/verify-email", Verify);
        all.MapPost("/password/reset-request", RequestReset);
        all.MapPut("/password/reset", Reset).LimitPasswordConcurrency();
        return endpoints;
    }

    internal sealed record Message(string Msg);

    internal sealed record EmailRequest(string? Email);

    internal sealed record ResetRequest(string? Password, string? ConfirmPassword);

    internal static JsonHttpResult<ManagementError> NotConfigured { get; } =
        ApiResults.Fail(StatusCodes.Status503ServiceUnavailable, "mail_not_configured", "This deployment does not send e-mail. Ask an administrator.");

    /// <summary>Anonymous, because an unverified account cannot log in. The body names the account by its e-mail address.</summary>
    private static async Task<Results<Ok<Message>, JsonHttpResult<ManagementError>>> SendVerification(
        EmailRequest request, Caller? caller, UserStore users, MailQueue mails, CancellationToken ct)
    {
        var email = request.Email ?? (caller is null ? null : (await users.FindAsync(caller.UserId, ct))?.Email);
        if (UserRules.ValidateEmail(email) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (!mails.IsConfigured)
        {
            return NotConfigured;
        }

        mails.Enqueue(new MailJob.Verification(email!));
        return TypedResults.Ok(new Message("If the account exists and is not verified, a verification e-mail has been queued."));
    }

    private static async Task<Results<Ok<Message>, JsonHttpResult<ManagementError>>> Verify(
        string? token, MailTokenStore tokens, MailQueue mails, NpgsqlDataSource database, TimeProvider time, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        if (token is not { Length: > 0 and <= 128 } || await tokens.RedeemAsync(change.Connection, token, MailTokenStore.Verify) is not { } taken)
        {
            return ApiResults.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "The link is invalid or has expired. Request a new one.");
        }

        var old = await change.Connection.QuerySingleAsync<User>("select username, email from users where id = @UserId", new { taken.UserId });
        try
        {
            // Revokes every other mail token of the user, in particular one that was sent to the old address.
            await change.Connection.ExecuteAsync(
                """
                select set_config('cube.actor', @actor, true);
                delete from mail_tokens where user_id = @UserId;
                update users set email = @Email, verified_at = @now, updated_at = @now, updated_by = @UserId where id = @UserId and status <> 'deleted'
                """,
                new { actor = taken.UserId.ToString(), taken.Email, taken.UserId, now = time.GetUtcNow() });
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return ApiResults.Conflict("The e-mail address now belongs to another account.");
        }

        await change.CommitAsync();
        if (!string.Equals(old.Email, taken.Email, StringComparison.OrdinalIgnoreCase))
        {
            mails.Enqueue(new MailJob.AddressNotice(old.Email, old.Username, IsChanged: true));
        }

        return TypedResults.Ok(new Message("The e-mail address is verified."));
    }

    private static MessageResult RequestReset(EmailRequest request, MailQueue mails)
    {
        if (UserRules.ValidateEmail(request.Email) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (!mails.IsConfigured)
        {
            return NotConfigured;
        }

        mails.Enqueue(new MailJob.PasswordReset(request.Email!));
        return TypedResults.Created((string?)null, new Message("If the account exists, an e-mail has been queued."));
    }

    /// <summary>Sets the password, ends all sessions and revokes personal access tokens and mail tokens, because the account may be compromised.</summary>
    private static async Task<MessageResult> Reset(
        ResetRequest request, HttpContext context, UserPasswordHasher passwords, MailTokenStore tokens, NpgsqlDataSource database, TimeProvider time, CancellationToken ct)
    {
        var error = UserRules.ValidatePassword(request.Password, "password")
            ?? (request.Password == request.ConfirmPassword ? null : "password and confirm_password must be equal.");
        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        var token = BearerToken.Read(context.Request.Headers);
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        if (string.IsNullOrEmpty(token) || await tokens.RedeemAsync(change.Connection, token, MailTokenStore.Recover) is not { } taken)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
            return ApiResults.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "A valid token from the e-mail is required. It can be used once, within five minutes.");
        }

        await change.Connection.ExecuteAsync("select set_config('cube.actor', @actor, true)", new { actor = taken.UserId.ToString() });
        await UserStore.SetPasswordAsync(change.Connection, taken.UserId, passwords.Hash(request.Password!), kept: Guid.Empty, endsTokens: true, time.GetUtcNow());
        await change.CommitAsync();
        return TypedResults.Created((string?)null, new Message("The password was changed. Log in with the new password."));
    }
}
